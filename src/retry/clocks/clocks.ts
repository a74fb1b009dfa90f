// The retry clocks of a recipient after an attempt: one for the mail itself, one for each copy that was deferred, as Exim
// has one for each transport. due.ts decides which of them are due.
//
// Invariants: no wait is lost: mail or a copy that was not due keeps its clock, whatever the chain says meanwhile. If no
// router asks for a copy any more, its clock ends when it is due. If several recipients lead to a copy, it has one clock,
// at the first of them.
//
// Doors: due.ts, finding.ts.

import { type Draft, given } from "../../base/given.ts";
import type { Ending, Finding } from "./finding.ts";
import type { Awaited } from "../../mail/host.ts";
import type { Attempted } from "./due.ts";
import type { Clocks, Wait, WaitingCopy } from "../../spool/spool.ts";

/** The identity of a copy on a clock: its place, or its router and address if the router could not name the place. */
interface NamedCopy {
  readonly router: string;
  readonly mailbox: { readonly address: string };
  readonly place?: string;
}

export function isCopy(waiting: WaitingCopy, { router, mailbox, place }: NamedCopy): boolean {
  if (waiting.place !== undefined && waiting.place === place) return true;
  return waiting.address === mailbox.address && waiting.router === router;
}

/** The clock of a copy, if it was deferred before. */
export function clockOf(clocks: Clocks | undefined, copy: NamedCopy): WaitingCopy | undefined {
  return clocks?.copies.find((waiting) => isCopy(waiting, copy));
}

/** The end of a delivery in an attempt, or its next time. */
export interface End {
  readonly finding: Finding;
  readonly ending: Ending;
  /** The time of the next attempt, in milliseconds since the epoch; undefined: no further attempt. */
  readonly again: number | undefined;
  readonly firstFailure: number;
}

/** A failed delivery that waits until `until` instead; its status stays. */
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

/** The clocks after an attempt that ended at `now`: of deliveries that it deferred, and of those that were not due. */
export function clocksAfter(recipient: Attempted, ends: readonly End[], now: number): Clocks {
  const deferred = ends.filter(({ ending }) => ending === "deferred");
  const rest = stillResting(recipient, now);
  const copies = new Map(rest?.copies.map((copy) => [keyOf(copy), copy]));
  for (const end of deferred.filter(({ finding }) => finding.unseen)) {
    const copy = waitingCopy(clockOf(recipient.clocks, end.finding), end);
    copies.set(keyOf(copy), copy);
  }
  const mail = rest?.mail ?? mailWait(deferred.filter(({ finding }) => !finding.unseen));
  const clocks: Draft<Clocks> = { copies: [...copies.values()] };
  if (mail !== undefined) clocks.mail = mail;
  return clocks;
}

/** The clocks that were not due. If the system clock was set back meanwhile, no wait becomes longer by that. */
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

/** The clock of the mail: all deliveries of the mail itself share it. */
function mailWait(deferred: readonly End[]): Wait | undefined {
  let first: Wait | undefined;
  let waitsFor: Awaited | undefined;
  let heldDomain: string | undefined;
  let heldTransport: string | undefined;
  for (const wait of deferred.map(waitOf)) {
    waitsFor ??= wait.waitsFor;
    heldDomain ??= wait.heldDomain;
    heldTransport ??= wait.heldTransport;
    if (first === undefined || wait.nextAttempt < first.nextAttempt) first = wait;
  }
  const early = awaited({ waitsFor, heldDomain, heldTransport });
  return first && { nextAttempt: first.nextAttempt, ...early };
}

function waitOf({ finding: { outcome }, again }: End): Wait {
  if (outcome.kind !== "deferred" || again === undefined) throw new Error("it does not wait");
  return { nextAttempt: again, ...awaited(outcome) };
}

/** The fields of a wait that can end it before its time; absent ones are left out. */
export function awaited({
  waitsFor,
  heldDomain,
  heldTransport,
}: {
  readonly waitsFor?: Awaited | undefined;
  readonly heldDomain?: string | undefined;
  readonly heldTransport?: string | undefined;
}): Omit<Wait, "nextAttempt"> {
  const wait: Draft<Omit<Wait, "nextAttempt">> = {};
  if (waitsFor !== undefined) wait.waitsFor = waitsFor;
  if (heldDomain !== undefined) wait.heldDomain = heldDomain;
  if (heldTransport !== undefined) wait.heldTransport = heldTransport;
  return wait;
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
    // The result of an attempt says more than the reason why a delivery waits untried.
    lastStatus:
      untried && before !== undefined && before.attempts > 0 ? before.lastStatus : outcome.status,
    ...waitOf(end),
  };
}

/** A key for a copy; no name contains a line break. */
function keyOf({ address, router, place }: WaitingCopy): string {
  return place ?? `${address}\n${router}`;
}

/** All clocks, the earliest first. */
export function inOrder({ mail, copies }: Clocks): readonly Wait[] {
  const all: readonly Wait[] = mail === undefined ? copies : [mail, ...copies];
  return all.toSorted((one, other) => one.nextAttempt - other.nextAttempt);
}
