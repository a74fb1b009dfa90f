// Formats ages, sizes and messages of the queue, for the postmaster and for programs.

import { given } from "../../base/given.ts";
import { printable } from "../../base/printable.ts";
import type {
  FrozenWhy,
  MessageState,
  StoredMessage,
  StoredRecipient,
  Wait,
  WaitingCopy,
} from "../../spool/spool.ts";
import { ageText, sizeText } from "../../base/units.ts";
import type { QueueHold } from "../../spool/queue-view.ts";
import { timesOf } from "../../retry/clocks/due.ts";
import { pathText } from "../../mail/address.ts";
import { saidLine } from "../../mail/status.ts";
import { type Colour, folded, paint } from "../../base/terminal.ts";

const SECOND = 1000;

/** The postmaster's word for a state of the spool. */
export function stateWord(state: MessageState): "active" | "deferred" | "frozen" {
  return state === "queued" ? "deferred" : state;
}

const STATES: Readonly<Record<string, Colour>> = {
  active: "green",
  delivered: "green",
  deferred: "yellow",
  pending: "yellow",
  frozen: "red",
  failed: "red",
};

/** "example.org: on hold for 2h, 12 messages wait" */
export function holdLine({ domain, since, messages }: QueueHold, now: number): string {
  const wait = messages === 1 ? "1 message waits" : `${messages} messages wait`;
  return `${domain}: on hold for ${ageText(now - since)}, ${wait}`;
}

/** The hold in the form of `--json`. */
export function holdObject({ domain, since, messages }: QueueHold) {
  return { domain, since: timeText(since), messages };
}

export function messageLines(
  message: StoredMessage,
  now: number,
  held: ReadonlySet<string>,
): string[] {
  const { envelope, state, recipients } = message;
  const { id, receivedAt, size, sender } = envelope;
  const word = stateWord(state);
  const head = [
    paint("bold", id),
    ageText(now - receivedAt).padStart(4),
    sizeText(size).padStart(5),
    paint(STATES[word] ?? "dim", word.padEnd(8)),
    printable(pathText(sender)),
  ];
  return [head.join("  "), ...recipients.flatMap((one) => recipientLines(one, now, held))];
}

const STATE_COLUMN = 12;
const ADDRESS_COLUMN = 23;

/** Whether the mail is on hold, or will be when it is due. */
function isHeld(recipient: StoredRecipient, held: ReadonlySet<string>): boolean {
  if (timesOf(recipient).mail === undefined) return false;
  return held.has(recipient.mailbox.domain) || recipient.heldDomain !== undefined;
}

export function recipientLines(
  recipient: StoredRecipient,
  now: number,
  held: ReadonlySet<string>,
): string[] {
  const { mailbox } = recipient;
  const state = stateOf(recipient);
  const label = `${" ".repeat(STATE_COLUMN)}${paint(STATES[state] ?? "dim", state.padEnd(9))}`;
  const reasons = state === "delivered" ? [] : reasonsOf(recipient);
  return [
    `${label}  ${printable(mailbox.address)}`,
    ...folded(mailText(recipient, now, held), ADDRESS_COLUMN),
    ...frozenLines(recipient),
    ...reasons.flatMap((reason) => folded(reason, ADDRESS_COLUMN)),
    ...timesOf(recipient).copies.flatMap((copy) => [
      ...folded(copyText(copy, recipient, now), ADDRESS_COLUMN),
      ...folded(saidLine(copy.lastStatus), ADDRESS_COLUMN + 2),
    ]),
  ];
}

/** Why the recipient waits for the postmaster. */
const FROZEN: Readonly<Record<FrozenWhy, string>> = {
  ordered: "frozen by the postmaster",
  copy: "frozen because a copy cannot be made",
  delivery: "frozen because its transport wants the postmaster to look at it",
  "nobody-to-tell": "frozen because it has failed, and nobody may be told",
};

function frozenLines({ frozenWhy }: StoredRecipient): string[] {
  return frozenWhy === undefined ? [] : folded(FROZEN[frozenWhy], ADDRESS_COLUMN);
}

/**
 * The reason why the mail waits now, and the result of its last attempt. Before the first attempt the two are the same.
 */
export function reasonsOf({
  attempts,
  lastStatus,
  waitsBecause,
}: StoredRecipient): readonly string[] {
  const said = lastStatus === undefined ? [] : [saidLine(lastStatus)];
  return waitsBecause === undefined || attempts === 0 ? said : [waitsBecause, ...said];
}

/** The state of the mail itself. While only copies wait, it is the mail's final state. */
function stateOf(recipient: StoredRecipient): StoredRecipient["state"] {
  const { state, lastStatus } = recipient;
  if (state !== "pending" || timesOf(recipient).mail !== undefined) return state;
  return lastStatus !== undefined && lastStatus.code >= 500 ? "failed" : "delivered";
}

/** "3 attempts, next in 12m" */
export function mailText(
  recipient: StoredRecipient,
  now: number,
  held: ReadonlySet<string>,
): string {
  if (isHeld(recipient, held)) return `${triesText(recipient, undefined, now)}, on hold`;
  return triesText(recipient, timesOf(recipient).mail, now);
}

/** "copy by gmail_users: 3 attempts, next in 12m", with the copy's address if it differs from the recipient's. */
export function copyText(copy: WaitingCopy, { mailbox }: StoredRecipient, now: number): string {
  const to = copy.address === mailbox.address ? "" : ` to ${copy.address}`;
  return `copy${to} by ${copy.router}: ${triesText(copy, copy, now)}`;
}

function triesText(
  { attempts }: Pick<StoredRecipient, "attempts">,
  wait: Wait | undefined,
  now: number,
): string {
  const tries = attempts === 1 ? "1 attempt" : `${attempts} attempts`;
  return wait === undefined ? tries : `${tries}, next ${nextText(wait.nextAttempt - now)}`;
}

function nextText(wait: number): string {
  return wait <= 0 ? "now" : `in ${ageText(wait)}`;
}

function timeText(time: number): string {
  return new Date(time).toISOString();
}

/** One message in the form of `queue list --json`. */
export function messageObject(
  { envelope, state, recipients }: StoredMessage,
  now: number,
  held: ReadonlySet<string>,
) {
  const { id, receivedAt, size, sender } = envelope;
  return {
    id,
    age_s: Math.max(0, Math.floor((now - receivedAt) / SECOND)),
    size,
    sender: sender?.address ?? "",
    state: stateWord(state),
    recipients: recipients.map((recipient) => recipientObject(recipient, held)),
  };
}

function recipientObject(recipient: StoredRecipient, held: ReadonlySet<string>) {
  const { mailbox, attempts, lastStatus } = recipient;
  const { mail: wait, copies: waiting } = timesOf(recipient);
  const copies = waiting.map((copy) => ({
    address: copy.address,
    router: copy.router,
    attempts: copy.attempts,
    next_attempt: timeText(copy.nextAttempt),
    last_status: saidLine(copy.lastStatus),
  }));
  return {
    address: mailbox.address,
    state: stateOf(recipient),
    attempts,
    next_attempt: wait === undefined ? null : timeText(wait.nextAttempt),
    last_status: lastStatus === undefined ? null : saidLine(lastStatus),
    ...given({ waits_because: recipient.waitsBecause, frozen_why: recipient.frozenWhy }),
    ...(isHeld(recipient, held) ? { on_hold: true } : {}),
    ...(copies.length === 0 ? {} : { copies }),
  };
}
