// What of a recipient is due by its times: of the mail itself, and of each copy that was deferred. Decided here and nowhere
// else: for an attempt, for what is settled after it, and for what the postmaster is shown of the queue.
//
// Invariants: a recipient is attempted when the first of its times has come, and then only what is due. What has no time
// of its own is due with the recipient. By the postmaster's order all of it is due.

import { given } from "../base/given.ts";
import type { Clocks, StoredRecipient, Wait, WaitingCopy } from "../spool/spool.ts";

/** A recipient under attempt. */
export interface Attempted extends StoredRecipient {
  /** Those of its times that have not come; absent when all have. */
  readonly rest?: Clocks;
  /** When that was decided, in ms since the epoch; absent when there is no rest. */
  readonly restAsOf?: number;
}

/** When the mail, and each copy that has a time of its own, is due. Nothing of a recipient that is not pending ever is. */
export function timesOf(recipient: StoredRecipient): Clocks {
  const { state, nextAttempt, clocks, forced } = recipient;
  if (state !== "pending") return { copies: [] };
  if (clocks === undefined) return { mail: recipient, copies: [] };
  const { mail, copies } = clocks;
  const timed = <T extends Wait>(wait: T): T =>
    forced === true || isWoken(wait, recipient) ? { ...wait, nextAttempt } : wait;
  return { ...given({ mail: mail && timed(mail) }), copies: copies.map(timed) };
}

/** Undefined when nothing of it is due. */
export function attemptOf(recipient: StoredRecipient, now: number): Attempted | undefined {
  const { state, nextAttempt, clocks, forced } = recipient;
  if (state !== "pending" || nextAttempt > now) return undefined;
  if (clocks === undefined || forced === true) return recipient;
  const { mail, copies } = timesOf(recipient);
  const waits = (wait: Wait) => wait.nextAttempt > now;
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

/** The mail has a time of its own, which has not come. */
export function mailRests({ rest }: Attempted): boolean {
  return rest?.mail !== undefined;
}

/** The mail has not had its end, and its time has come. */
export function mailIsDue(recipient: Attempted): boolean {
  return recipient.mailDone !== true && !mailRests(recipient);
}

/** The copies of a recipient that have waited, and whose time has come. */
export function dueCopies({ clocks, rest }: Attempted): readonly WaitingCopy[] {
  return clocks?.copies.filter((copy) => rest?.copies.includes(copy) !== true) ?? [];
}

interface DueTime extends Wait {
  readonly firstFailure?: number;
}

/** The times by which something is attempted now. */
export function dueTimes(recipient: Attempted): readonly DueTime[] {
  const { clocks, firstFailure } = recipient;
  const copies = dueCopies(recipient);
  const mail = clocks === undefined ? recipient : clocks.mail;
  if (mail === undefined || mailRests(recipient)) return copies;
  return [{ ...mail, ...given({ firstFailure }) }, ...copies];
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
