// The retry clocks of a recipient: one for the address itself, one for each copy that was deferred, as Exim has one
// for each transport. A recipient is attempted when the first of them is due, and then only what is due.
//
// Invariants: nothing that waits is lost: what was not due keeps its clock, whatever the chain says meanwhile. What has
// no clock is due. The clock of a copy that no router asks for any more ends when it is due.

import type { Finding } from "../settle.ts";
import type { Clocks, StoredRecipient, Wait, WaitingCopy } from "../spool.ts";
import type { Ending } from "./log.ts";

/** A recipient under attempt, with those of its clocks that are not due; absent when all are. */
export interface Attempted extends StoredRecipient {
  readonly rest?: Clocks;
}

/** What names a delivery on a clock. The transport does not: what its router says of it may change. */
interface Named {
  readonly unseen: boolean;
  readonly router: string;
  readonly mailbox: { readonly address: string };
}

/** Undefined when nothing of it is due. A next attempt at 0 is the postmaster's word: all of it is. */
export function attemptOf(recipient: StoredRecipient, now: number): Attempted | undefined {
  const { state, nextAttempt, clocks } = recipient;
  if (state !== "pending" || nextAttempt > now) return undefined;
  if (clocks === undefined || nextAttempt === 0) return recipient;
  const waits = (clock: Wait) => clock.nextAttempt > now && !isWoken(clock, recipient);
  const { mail, copies } = clocks;
  const rest = mail !== undefined && waits(mail) ? { mail } : {};
  return { ...recipient, rest: { ...rest, copies: copies.filter(waits) } };
}

/** What it waits for has ended: then the recipient waits for nothing any more. */
function isWoken({ waitsFor }: Wait, recipient: StoredRecipient): boolean {
  return waitsFor !== undefined && recipient.waitsFor === undefined;
}

/** Is the delivery of the copy, or of the address itself, not due? */
export function isResting({ rest }: Attempted, delivery: Named): boolean {
  if (rest === undefined) return false;
  return delivery.unseen ? clockOf(rest, delivery) !== undefined : rest.mail !== undefined;
}

/** That of a copy, if it was deferred before. */
export function clockOf(clocks: Clocks | undefined, copy: Named): WaitingCopy | undefined {
  const { mailbox, router } = copy;
  return clocks?.copies.find((one) => one.address === mailbox.address && one.router === router);
}

/** How a delivery ended in an attempt, or that it has not. */
export interface End {
  readonly finding: Finding;
  readonly ending: Ending;
  /** When it is tried again, if it is; milliseconds since the epoch. */
  readonly again: number | undefined;
  readonly firstFailure: number;
}

/** What waits after an attempt: what was deferred in it, and what was not due. */
export function clocksAfter(recipient: Attempted, ends: readonly End[]): Clocks {
  const deferred = ends.filter(({ ending }) => ending === "deferred");
  const copies = new Map(recipient.rest?.copies.map((copy) => [keyOf(copy), copy]));
  for (const end of deferred.filter(({ finding }) => finding.unseen)) {
    const copy = waitingCopy(clockOf(recipient.clocks, end.finding), end);
    copies.set(keyOf(copy), copy);
  }
  const mail = recipient.rest?.mail ?? mailWait(deferred.filter(({ finding }) => !finding.unseen));
  return { ...(mail === undefined ? {} : { mail }), copies: [...copies.values()] };
}

/** Deliveries of the address itself share a clock. */
function mailWait(deferred: readonly End[]): Wait | undefined {
  const waits = deferred.map(waitOf);
  if (waits.length === 0) return undefined;
  const waitsFor = waits.find((one) => one.waitsFor !== undefined)?.waitsFor;
  const nextAttempt = Math.min(...waits.map((one) => one.nextAttempt));
  return { nextAttempt, ...(waitsFor === undefined ? {} : { waitsFor }) };
}

function waitOf({ finding: { outcome }, again }: End): Wait {
  if (outcome.kind !== "deferred" || again === undefined) throw new Error("it does not wait");
  const { waitsFor } = outcome;
  return { nextAttempt: again, ...(waitsFor === undefined ? {} : { waitsFor }) };
}

function waitingCopy(before: WaitingCopy | undefined, end: End): WaitingCopy {
  const { finding, firstFailure } = end;
  const { mailbox, router, outcome } = finding;
  // Waiting for its turn says less than what was said before.
  const untried = "untried" in outcome;
  return {
    address: mailbox.address,
    router,
    attempts: (before?.attempts ?? 0) + (untried ? 0 : 1),
    firstFailure,
    lastStatus: (untried ? before?.lastStatus : undefined) ?? outcome.status,
    ...waitOf(end),
  };
}

/** Names hold no line break. */
function keyOf({ address, router }: Pick<WaitingCopy, "address" | "router">): string {
  return `${address}\n${router}`;
}

interface DueClock extends Wait {
  readonly firstFailure?: number;
}

/** Clocks by which something is attempted now. */
export function dueClocks(recipient: Attempted): readonly DueClock[] {
  const { clocks, rest, firstFailure } = recipient;
  const copies = clocks?.copies.filter((copy) => rest?.copies.includes(copy) !== true) ?? [];
  const mail = clocks === undefined ? recipient : clocks.mail;
  if (mail === undefined || rest?.mail !== undefined) return copies;
  return [{ ...mail, ...(firstFailure === undefined ? {} : { firstFailure }) }, ...copies];
}

/** All clocks, the first to be due at the head. */
export function inOrder({ mail, copies }: Clocks): readonly Wait[] {
  const all: readonly Wait[] = mail === undefined ? copies : [mail, ...copies];
  return all.toSorted((one, other) => one.nextAttempt - other.nextAttempt);
}
