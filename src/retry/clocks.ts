// The retry clocks of a recipient: one for the mail itself, one for each copy that was deferred, as Exim has one
// for each transport. A recipient is attempted when the first of them is due, and then only what is due.
//
// Invariants: nothing that waits is lost: what was not due keeps its clock, whatever the chain says meanwhile. What has
// no clock is due. The clock of a copy that no router asks for any more ends when it is due. A copy that several
// recipients lead to has one clock: that of the first of them.

import type { Ending, Finding } from "./finding.ts";
import type { Awaited } from "../mail/host.ts";
import type { Clocks, StoredRecipient, Wait, WaitingCopy } from "../spool/spool.ts";

/** A recipient under attempt, with those of its clocks that are not due; absent when all are. */
export interface Attempted extends StoredRecipient {
  readonly rest?: Clocks;
  /** When that was decided, in ms since the epoch; absent when there is no rest. */
  readonly restAsOf?: number;
}

/** What names a copy on a clock: its place, or router and address, when the router could not say where it goes. */
interface NamedCopy {
  readonly router: string;
  readonly mailbox: { readonly address: string };
  readonly place?: string;
}

/** Undefined when nothing of it is due. By the postmaster's order all of it is. */
export function attemptOf(recipient: StoredRecipient, now: number): Attempted | undefined {
  const { state, nextAttempt, clocks, forced } = recipient;
  if (state !== "pending" || nextAttempt > now) return undefined;
  if (clocks === undefined || forced === true) return recipient;
  const waits = (clock: Wait) => clock.nextAttempt > now && !isWoken(clock, recipient);
  const { mail, copies } = clocks;
  const rest = mail !== undefined && waits(mail) ? { mail } : {};
  return { ...recipient, rest: { ...rest, copies: copies.filter(waits) }, restAsOf: now };
}

/** What it waits for has ended: then the recipient waits for nothing any more. */
function isWoken({ waitsFor, heldDomain }: Wait, recipient: StoredRecipient): boolean {
  return (
    (waitsFor !== undefined && recipient.waitsFor === undefined) ||
    (heldDomain !== undefined && recipient.heldDomain === undefined)
  );
}

/** The copies of a message whose time has not come, of the recipients that are attempted and of the others. */
export function restingCopies(
  recipients: readonly StoredRecipient[],
  attempted: readonly Attempted[],
): readonly WaitingCopy[] {
  if (recipients.every(({ clocks }) => clocks === undefined)) return [];
  const due = new Set(attempted.map(({ position }) => position));
  const others = recipients.filter(
    ({ position, state }) => state === "pending" && !due.has(position),
  );
  return [...attempted.map(({ rest }) => rest), ...others.map(({ clocks }) => clocks)].flatMap(
    (clocks) => clocks?.copies ?? [],
  );
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
    ...(place === undefined ? {} : { place }),
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
  return { ...(mail === undefined ? {} : { mail }), copies: [...copies.values()] };
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
    ...(mail === undefined ? {} : { mail: earlier(mail) }),
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
    ...(waitsFor === undefined ? {} : { waitsFor }),
    ...(heldDomain === undefined ? {} : { heldDomain }),
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
    ...(place === undefined ? {} : { place }),
    ...(others === undefined ? {} : { others }),
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

/** The copies of a recipient that have waited, and whose time has come. */
export function dueCopies({ clocks, rest }: Attempted): readonly WaitingCopy[] {
  return clocks?.copies.filter((copy) => rest?.copies.includes(copy) !== true) ?? [];
}

interface DueClock extends Wait {
  readonly firstFailure?: number;
}

/** Clocks by which something is attempted now. */
export function dueClocks(recipient: Attempted): readonly DueClock[] {
  const { clocks, rest, firstFailure } = recipient;
  const copies = dueCopies(recipient);
  const mail = clocks === undefined ? recipient : clocks.mail;
  if (mail === undefined || rest?.mail !== undefined) return copies;
  return [{ ...mail, ...(firstFailure === undefined ? {} : { firstFailure }) }, ...copies];
}

/** All clocks, the first to be due at the head. */
export function inOrder({ mail, copies }: Clocks): readonly Wait[] {
  const all: readonly Wait[] = mail === undefined ? copies : [mail, ...copies];
  return all.toSorted((one, other) => one.nextAttempt - other.nextAttempt);
}
