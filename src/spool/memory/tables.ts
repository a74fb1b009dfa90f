// The content of a spool in memory, and the changes of a message in it. Values are replaced and never changed, so a
// value that a reader has stays the same.

import { given } from "../../base/given.ts";
import type { MessageId } from "../../mail/envelope.ts";
import type { HostHint } from "../../mail/host.ts";
import { clocksNotAheadOf, isAhead, isImpossiblyLate } from "../engine/clock-ahead.ts";
import type { StoredMessage, StoredRecipient } from "../spool.ts";
import { MemoryList } from "./list.ts";

/** A message, and the spool's own facts about it. */
export interface Row {
  readonly message: StoredMessage;
  /** Time at which a queued message is due, in milliseconds since the epoch. */
  readonly nextAttempt: number;
  /** Time from which `nextAttempt` was computed, in milliseconds since the epoch. */
  readonly scheduledAt: number;
  /** Milliseconds for which it has been frozen because no sender can be told. */
  readonly frozenFor: number;
  /** Number of interrupted attempts. */
  readonly interruptions: number;
}

export class Tables {
  readonly rows = new Map<MessageId, Row>();
  readonly hints = new Map<string, HostHint>();
  /** Domains on hold, each with its beginning in milliseconds since the epoch. */
  readonly holds = new Map<string, number>();
  readonly list = new MemoryList();

  /** Returns all rows, oldest first. */
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

/** Returns the row of a new message. */
export function newRow(message: StoredMessage, scheduledAt: number): Row {
  const nextAttempt = firstDue(message.recipients, message.envelope.receivedAt);
  return { message, nextAttempt, scheduledAt, frozenFor: 0, interruptions: 0 };
}

/** Returns the earliest next attempt of the pending recipients, or `otherwise` if none is pending. */
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

/** Returns the row with every time ahead of `now` set to `now`. */
export function notAheadOf(now: number, row: Row): Row {
  const recipients = row.message.recipients.map((one) => recipientNotAheadOf(now, one));
  return {
    ...row,
    message: { ...row.message, recipients },
    nextAttempt: Math.min(row.nextAttempt, now),
    scheduledAt: now,
  };
}

/** Makes mail due that was put off by a clock that was ahead. */
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
