// Ages, sizes and messages of the queue as a postmaster reads them, and as a program does.

import { heldDomain } from "../../holds.ts";
import type { MessageState, StoredMessage, StoredRecipient } from "../../spool.ts";
import type { QueueHold } from "../../spool/queue-file.ts";
import { pathText } from "../../smtp/address.ts";
import { saidLine } from "../../status.ts";
import { type Colour, folded, paint, printable } from "../terminal.ts";

const SECOND = 1000;
const UNITS = [
  ["d", 86_400 * SECOND],
  ["h", 3600 * SECOND],
  ["m", 60 * SECOND],
] as const;

/** "4d", "2h", "14m", "3s": the biggest unit that fits. */
export function ageText(milliseconds: number): string {
  for (const [unit, length] of UNITS) {
    if (milliseconds >= length) return `${Math.floor(milliseconds / length)}${unit}`;
  }
  return `${Math.max(0, Math.floor(milliseconds / SECOND))}s`;
}

/** "940", "12K", "3.4M": binary, as everywhere in the configuration. */
export function sizeText(bytes: number): string {
  if (bytes < 1024) return String(bytes);
  const kibibytes = bytes / 1024;
  if (kibibytes < 1023.5) return `${rounded(kibibytes)}K`;
  return `${rounded(kibibytes / 1024)}M`;
}

function rounded(value: number): string {
  return value < 10 ? value.toFixed(1) : String(Math.round(value));
}

/** What the postmaster calls a state of the spool. */
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

/** Is it held back, or will be when its time has come? */
export function isHeld(
  { state, mailbox, waitsFor }: StoredRecipient,
  held: ReadonlySet<string>,
): boolean {
  return state === "pending" && (held.has(mailbox.domain) || heldDomain(waitsFor) !== undefined);
}

export function recipientLines(
  recipient: StoredRecipient,
  now: number,
  held: ReadonlySet<string>,
): string[] {
  const { mailbox, state, attempts, nextAttempt, lastStatus } = recipient;
  const label = `${" ".repeat(STATE_COLUMN)}${paint(STATES[state] ?? "dim", state.padEnd(9))}`;
  const waits = state === "pending" ? nextText(nextAttempt - now) : undefined;
  const onHold = isHeld(recipient, held);
  const tries = attempts === 1 ? "1 attempt" : `${attempts} attempts`;
  const next = onHold ? "on hold" : `next ${waits}`;
  const told = waits === undefined ? tries : `${tries}, ${next}`;
  const trouble = state === "delivered" || lastStatus === undefined ? "" : saidLine(lastStatus);
  return [
    `${label}  ${printable(mailbox.address)}`,
    ...folded(told, ADDRESS_COLUMN),
    ...(trouble === "" ? [] : folded(trouble, ADDRESS_COLUMN)),
  ];
}

export function nextText(wait: number): string {
  return wait <= 0 ? "now" : `in ${ageText(wait)}`;
}

/** 0 is the postmaster's word: now. */
function timeText(time: number, now: number): string {
  return new Date(time === 0 ? now : time).toISOString();
}

/** One message as `queue list --json` has it. */
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
    recipients: recipients.map((recipient) => ({
      address: recipient.mailbox.address,
      state: recipient.state,
      attempts: recipient.attempts,
      next_attempt: recipient.state === "pending" ? timeText(recipient.nextAttempt, now) : null,
      last_status: recipient.lastStatus === undefined ? null : saidLine(recipient.lastStatus),
      ...(isHeld(recipient, held) ? { on_hold: true } : {}),
    })),
  };
}
