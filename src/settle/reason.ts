// The reason why a recipient's mail is still in the queue, for the postmaster.
//
// Invariant: the status of the last attempt is kept together with the reason for which the mail now waits untried. An
// older reason of this kind is dropped: it was about another host, or about a turn that has come.

import type { Draft } from "../base/given.ts";
import type { StoredRecipient } from "../spool/spool.ts";
import type { Status } from "../mail/status.ts";
import type { End } from "../retry/clocks/clocks.ts";
import { type Attempted, mailRests } from "../retry/clocks/due.ts";

type Reason = Pick<StoredRecipient, "lastStatus" | "waitsBecause">;

export function reasonOf(recipient: Attempted, ends: readonly End[]): Reason {
  const { attempts, lastStatus: before, waitsBecause } = recipient;
  const untried = ends.find(isPutOff);
  const isResting = mailRests(recipient);
  const isKept = isResting || (untried !== undefined && attempts > 0);
  const lastStatus = (isKept ? before : undefined) ?? statusOf(ends) ?? before;
  const because = isResting ? waitsBecause : untried?.finding.outcome.status.text;
  const reason: Draft<Reason> = {};
  if (lastStatus !== undefined) reason.lastStatus = lastStatus;
  if (because !== undefined) reason.waitsBecause = because;
  return reason;
}

/** Whether the mail was due and not tried. */
function isPutOff({ finding: { unseen, outcome }, ending }: End): boolean {
  return !unseen && ending === "deferred" && "untried" in outcome;
}

/** The status that keeps the mail in the queue, else the one that ended it. Of copies, only a frozen one counts. */
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
