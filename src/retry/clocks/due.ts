// Decides whether the mail of a recipient, and each of its deferred copies, is due by its time. Only this file decides
// it: for an attempt, for settling, and for the queue as the postmaster sees it.
//
// Invariants: a recipient is attempted at the earliest of its times, and then only the mail and the copies that are due.
// Mail or a copy without a time of its own is due with the recipient. By the postmaster's order all of it is due.

import { type Draft, given } from "../../base/given.ts";
import type { Clocks, StoredRecipient, Wait, WaitingCopy } from "../../spool/spool.ts";

/** A recipient under attempt. */
export interface Attempted extends StoredRecipient {
  /** The clocks that are not due; absent if all are due. */
  readonly rest?: Clocks;
  /** When `rest` was decided, in ms since the epoch; absent without `rest`. */
  readonly restAsOf?: number;
}

/** The times of the mail and of each copy with a time of its own. A recipient that is not pending has no times. */
export function timesOf(recipient: StoredRecipient): Clocks {
  const { state, nextAttempt, clocks, forced } = recipient;
  if (state !== "pending") return { copies: [] };
  if (clocks === undefined) return { mail: recipient, copies: [] };
  const { mail, copies } = clocks;
  const timed = <T extends Wait>(wait: T): T =>
    forced === true || isWoken(wait, recipient) ? { ...wait, nextAttempt } : wait;
  return { ...given({ mail: mail && timed(mail) }), copies: copies.map(timed) };
}

/** The recipient for an attempt at `now`; undefined if neither its mail nor a copy is due. */
export function attemptOf(recipient: StoredRecipient, now: number): Attempted | undefined {
  const { state, nextAttempt, clocks, forced } = recipient;
  if (state !== "pending" || nextAttempt > now) return undefined;
  if (clocks === undefined || forced === true) return recipient;
  const { mail, copies } = timesOf(recipient);
  const waits = (wait: Wait) => wait.nextAttempt > now;
  const rest = mail !== undefined && waits(mail) ? { mail } : {};
  return { ...recipient, rest: { ...rest, copies: copies.filter(waits) }, restAsOf: now };
}

/** Whether the host or hold that the wait names has ended: then the recipient no longer waits for it. */
function isWoken(
  { waitsFor, heldDomain, heldTransport }: Wait,
  recipient: StoredRecipient,
): boolean {
  return (
    (waitsFor !== undefined && recipient.waitsFor === undefined) ||
    (heldDomain !== undefined && recipient.heldDomain === undefined) ||
    (heldTransport !== undefined && recipient.heldTransport === undefined)
  );
}

/** Whether the mail has a time of its own that has not come. */
export function mailRests({ rest }: Attempted): boolean {
  return rest?.mail !== undefined;
}

/** Whether the mail is not over, and its time has come. */
export function mailIsDue(recipient: Attempted): boolean {
  return recipient.mailDone !== true && !mailRests(recipient);
}

/** The deferred copies of a recipient whose time has come. */
export function dueCopies({ clocks, rest }: Attempted): readonly WaitingCopy[] {
  return clocks?.copies.filter((copy) => rest?.copies.includes(copy) !== true) ?? [];
}

interface DueTime extends Wait {
  readonly firstFailure?: number;
}

/** The times of the mail and the copies that are attempted now. */
export function dueTimes(recipient: Attempted): readonly DueTime[] {
  const { clocks, firstFailure } = recipient;
  const copies = dueCopies(recipient);
  const mail = clocks === undefined ? recipient : clocks.mail;
  if (mail === undefined || mailRests(recipient)) return copies;
  const wait: Draft<DueTime> = { ...mail };
  if (firstFailure !== undefined) wait.firstFailure = firstFailure;
  return [wait, ...copies];
}

/** The copies of a message that are not due, both of the recipients that are attempted and of the others. */
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
