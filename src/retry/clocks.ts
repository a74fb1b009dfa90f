// The retry clocks of a recipient after an attempt: one for the mail itself, one for each copy that was deferred, as Exim
// has one for each transport. due.ts says what of them is due.
//
// Invariants: nothing that waits is lost: what was not due keeps its clock, whatever the chain says meanwhile. The clock
// of a copy that no router asks for any more ends when it is due. A copy that several recipients lead to has one clock:
// that of the first of them.

import { given } from "../base/given.ts";
import type { Ending, Finding } from "./finding.ts";
import type { Awaited } from "../mail/host.ts";
import type { Attempted } from "./due.ts";
import type { Clocks, Wait, WaitingCopy } from "../spool/spool.ts";

/** What names a copy on a clock: its place, or router and address, when the router could not say where it goes. */
interface NamedCopy {
  readonly router: string;
  readonly mailbox: { readonly address: string };
  readonly place?: string;
}

export function isCopy(waiting: WaitingCopy, { router, mailbox, place }: NamedCopy): boolean {
  if (waiting.place !== undefined && waiting.place === place) return true;
  return waiting.address === mailbox.address && waiting.router === router;
}

/** That of a copy, if it was deferred before. */
export function clockOf(clocks: Clocks | undefined, copy: NamedCopy): WaitingCopy | undefined {
  return clocks?.copies.find((waiting) => isCopy(waiting, copy));
}

/** How a delivery ended in an attempt, or that it has not. */
export interface End {
  readonly finding: Finding;
  readonly ending: Ending;
  /** When it is tried again, if it is; milliseconds since the epoch. */
  readonly again: number | undefined;
  readonly firstFailure: number;
}

/** It has failed, and waits all the same; what was said of it stays. */
export function putOff({ finding, ...end }: End, until: number): End {
  const { status, place } = finding.outcome;
  const outcome = {
    kind: "deferred",
    scope: "recipient",
    status,
    ...given({ place }),
  } as const;
  return { ...end, finding: { ...finding, outcome }, ending: "deferred", again: until };
}

/** What waits after an attempt that ended at `now`: what was deferred in it, and what was not due. */
export function clocksAfter(recipient: Attempted, ends: readonly End[], now: number): Clocks {
  const deferred = ends.filter(({ ending }) => ending === "deferred");
  const rest = stillResting(recipient, now);
  const copies = new Map(rest?.copies.map((copy) => [keyOf(copy), copy]));
  for (const end of deferred.filter(({ finding }) => finding.unseen)) {
    const copy = waitingCopy(clockOf(recipient.clocks, end.finding), end);
    copies.set(keyOf(copy), copy);
  }
  const mail = rest?.mail ?? mailWait(deferred.filter(({ finding }) => !finding.unseen));
  return { ...given({ mail }), copies: [...copies.values()] };
}

/** If the clock was set back meanwhile, nothing waits longer from now than it had to wait when the attempt began. */
function stillResting({ rest, restAsOf = 0 }: Attempted, now: number): Clocks | undefined {
  if (rest === undefined || restAsOf <= now) return rest;
  const { mail, copies } = rest;
  const ahead = restAsOf - now;
  const earlier = <T extends Wait>(wait: T): T => ({
    ...wait,
    nextAttempt: wait.nextAttempt - ahead,
  });
  return {
    ...given({ mail: mail && earlier(mail) }),
    copies: copies.map(earlier),
  };
}

/** Deliveries of the mail itself share a clock. */
function mailWait(deferred: readonly End[]): Wait | undefined {
  let first: Wait | undefined;
  let waitsFor: Awaited | undefined;
  let heldDomain: string | undefined;
  for (const wait of deferred.map(waitOf)) {
    waitsFor ??= wait.waitsFor;
    heldDomain ??= wait.heldDomain;
    if (first === undefined || wait.nextAttempt < first.nextAttempt) first = wait;
  }
  return first && { nextAttempt: first.nextAttempt, ...awaited({ waitsFor, heldDomain }) };
}

function waitOf({ finding: { outcome }, again }: End): Wait {
  if (outcome.kind !== "deferred" || again === undefined) throw new Error("it does not wait");
  return { nextAttempt: again, ...awaited(outcome) };
}

/** What ends a wait before its time, without the fields that say nothing. */
export function awaited({
  waitsFor,
  heldDomain,
}: {
  readonly waitsFor?: Awaited | undefined;
  readonly heldDomain?: string | undefined;
}): Pick<Wait, "waitsFor" | "heldDomain"> {
  return {
    ...given({ waitsFor, heldDomain }),
  };
}

function waitingCopy(before: WaitingCopy | undefined, end: End): WaitingCopy {
  const { finding, firstFailure } = end;
  const { mailbox, router, outcome, others = before?.others } = finding;
  const place = finding.place ?? before?.place;
  const untried = "untried" in outcome;
  return {
    address: mailbox.address,
    router,
    ...given({ place, others }),
    attempts: (before?.attempts ?? 0) + (untried ? 0 : 1),
    firstFailure,
    // Why it waits untried says less than what came of an attempt.
    lastStatus:
      untried && before !== undefined && before.attempts > 0 ? before.lastStatus : outcome.status,
    ...waitOf(end),
  };
}

/** Names hold no line break. */
function keyOf({ address, router, place }: WaitingCopy): string {
  return place ?? `${address}\n${router}`;
}

/** All clocks, the first to be due at the head. */
export function inOrder({ mail, copies }: Clocks): readonly Wait[] {
  const all: readonly Wait[] = mail === undefined ? copies : [mail, ...copies];
  return all.toSorted((one, other) => one.nextAttempt - other.nextAttempt);
}
