// Why a recipient's mail is still in the queue, as the postmaster reads it.
//
// Invariant: what came of its last attempt stands beside the reason for which it now waits untried. An older such
// reason does not: it would be another host's, or that of a turn which has come.

import { given } from "../base/given.ts";
import type { StoredRecipient } from "../spool/spool.ts";
import type { Status } from "../mail/status.ts";
import type { End } from "../retry/clocks.ts";
import { type Attempted, mailRests } from "../retry/due.ts";

type Reason = Pick<StoredRecipient, "lastStatus" | "waitsBecause">;

export function reasonOf(recipient: Attempted, ends: readonly End[]): Reason {
  const { attempts, lastStatus: before, waitsBecause } = recipient;
  const untried = ends.find(isPutOff);
  const isResting = mailRests(recipient);
  const isKept = isResting || (untried !== undefined && attempts > 0);
  const lastStatus = (isKept ? before : undefined) ?? statusOf(ends) ?? before;
  const because = isResting ? waitsBecause : untried?.finding.outcome.status.text;
  return {
    ...given({ lastStatus, waitsBecause: because }),
  };
}

/** The mail was due, and was not tried. */
function isPutOff({ finding: { unseen, outcome }, ending }: End): boolean {
  return !unseen && ending === "deferred" && "untried" in outcome;
}

/** What keeps the mail in the queue, else what ended it; of a copy only that it is frozen. */
function statusOf(ends: readonly End[]): Status | undefined {
  let first: End | undefined;
  for (const end of ends) {
    if (end.finding.unseen && end.ending !== "frozen") continue;
    if (first === undefined || weightOf(end) > weightOf(first)) first = end;
  }
  return first?.finding.outcome.status;
}

const WEIGHTS = { delivered: 1, failed: 2, frozen: 3, deferred: 4 } as const;

function weightOf({ finding, ending }: End): number {
  return 2 * WEIGHTS[ending] + (finding.unseen ? 0 : 1);
}
