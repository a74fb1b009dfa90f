// What a spool in memory holds, and how a message changes in it. Values are replaced, never changed: what a reader has
// stays as it was.

import { given } from "../../base/given.ts";
import type { MessageId } from "../../mail/envelope.ts";
import type { HostHint } from "../../mail/host.ts";
import { clocksNotAheadOf, isAhead, isImpossiblyLate } from "../clock-ahead.ts";
import type { StoredMessage, StoredRecipient } from "../spool.ts";
import { MemoryList } from "./list.ts";

/** A message, and what nobody but the spool has to know of it. */
export interface Row {
  readonly message: StoredMessage;
  /** When it is due, while it is queued; milliseconds since the epoch, as `scheduledAt`. */
  readonly nextAttempt: number;
  /** When that was worked out. */
  readonly scheduledAt: number;
  /** Milliseconds for which it has been frozen because there is nobody to be told. */
  readonly frozenFor: number;
  /** Attempts that a relay did not live to settle. */
  readonly interruptions: number;
}

export class Tables {
  readonly rows = new Map<MessageId, Row>();
  readonly hints = new Map<string, HostHint>();
  /** Domains on hold, and since when. */
  readonly holds = new Map<string, number>();
  readonly list = new MemoryList();

  /** Oldest first. */
  inOrder(): Row[] {
    return [...this.rows.values()].toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
  }

  set(row: Row): void {
    this.rows.set(idOf(row), row);
  }
}

export function idOf({ message }: Row): MessageId {
  return message.envelope.id;
}

/** A row of a message that has not waited yet. */
export function newRow(message: StoredMessage, scheduledAt: number): Row {
  const nextAttempt = firstDue(message.recipients, message.envelope.receivedAt);
  return { message, nextAttempt, scheduledAt, frozenFor: 0, interruptions: 0 };
}

/** When the first of them is due that waits; `otherwise` when none does. */
export function firstDue(recipients: readonly StoredRecipient[], otherwise: number): number {
  const due = recipients.filter(isPending).map(({ nextAttempt }) => nextAttempt);
  return due.length === 0 ? otherwise : due.reduce((first, at) => Math.min(first, at));
}

export function isPending({ state }: StoredRecipient): boolean {
  return state === "pending";
}

export function inState(row: Row, state: StoredMessage["state"]): Row {
  return { ...row, message: { ...row.message, state } };
}

/** No time of it lies ahead of `now`. */
export function notAheadOf(now: number, row: Row): Row {
  const recipients = row.message.recipients.map((one) => recipientNotAheadOf(now, one));
  return {
    ...row,
    message: { ...row.message, recipients },
    nextAttempt: Math.min(row.nextAttempt, now),
    scheduledAt: now,
  };
}

/** Makes due what a clock that was ahead has put off. */
export function mendTimes(tables: Tables, now: number): void {
  for (const row of tables.rows.values()) {
    if (row.message.state === "frozen") continue;
    const isTooLate = isImpossiblyLate(row.nextAttempt, now) || isAhead(row.scheduledAt, now);
    if (isTooLate) tables.set(notAheadOf(now, row));
  }
}

function recipientNotAheadOf(now: number, recipient: StoredRecipient): StoredRecipient {
  const { clocks, firstFailure } = recipient;
  const mended = given({ clocks: clocks && clocksNotAheadOf(now, clocks) });
  if (!isPending(recipient)) return { ...recipient, ...mended };
  return {
    ...recipient,
    ...mended,
    nextAttempt: Math.min(recipient.nextAttempt, now),
    ...given({ firstFailure: firstFailure && Math.min(firstFailure, now) }),
  };
}
