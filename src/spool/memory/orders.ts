// What the postmaster does to messages in memory.
//
// Invariants: a message under attempt is left alone, because its attempt will say what it is. The state of a message
// follows from its recipients.

import type { Action, AddressFilter, Change, StoredMessage, StoredRecipient } from "../spool.ts";
import { isMeant } from "./filter.ts";
import { firstDue, idOf, isPending, type Row, type Tables } from "./tables.ts";

type Recipients = readonly StoredRecipient[];

/** What is to become of the message `row` at the postmaster's word, and the answer to him. */
export function carryOut(
  action: Action,
  only: AddressFilter | undefined,
  row: Row,
  { tables, now }: { readonly tables: Tables; readonly now: number },
): Change["result"] {
  if (action === "remove") {
    tables.rows.delete(idOf(row));
    return "done";
  }
  const means = (one: StoredRecipient) => only === undefined || isMeant(one.mailbox, only);
  const ordered = action === "freeze" ? freeze(row.message, means) : thaw(row.message, means, now);
  const made = action === "retry" ? makeDue(ordered, means, now) : ordered;
  const isUnchanged =
    action === "retry"
      ? !made.recipients.some((one) => means(one) && isPending(one))
      : made.recipients.every((one, index) => one === row.message.recipients[index]);
  const message = { ...row.message, ...made };
  if (isUnchanged) {
    tables.set({ ...row, message });
    return "unchanged";
  }
  tables.set(followed({ ...row, message }));
  return action === "retry" && areHeld(message.recipients.filter(means), tables) ? "held" : "done";
}

type Meant = (recipient: StoredRecipient) => boolean;
type Ordered = Pick<StoredMessage, "recipients" | "journal">;

function freeze({ recipients, journal }: StoredMessage, means: Meant): Ordered {
  return {
    recipients: recipients.map((one) =>
      means(one) && isToFreeze(one) ? { ...one, state: "frozen", frozenWhy: "ordered" } : one,
    ),
    journal,
  };
}

function isToFreeze(recipient: StoredRecipient): boolean {
  const { state, frozenWhy } = recipient;
  return isPending(recipient) || (state === "frozen" && frozenWhy !== "ordered");
}

/**
 * What was frozen is due, and its retry rules begin anew: they may have ended while it was. Several recipients may lead
 * to one delivery: it is thawed with any of them, unless the one that it is noted for waits and is not meant.
 */
function thaw({ recipients, journal }: StoredMessage, means: Meant, now: number): Ordered {
  const frozen = new Set(
    journal.flatMap(({ outcome, position }) => (outcome === "frozen" ? [position] : [])),
  );
  const isToThaw = (one: StoredRecipient) =>
    one.state === "frozen" || (isPending(one) && frozen.has(one.position));
  const thawed = recipients.map((one) => (means(one) && isToThaw(one) ? thawedAt(now, one) : one));
  const others = new Set(
    thawed.flatMap((one) => (isPending(one) && !means(one) ? [one.position] : [])),
  );
  return {
    recipients: thawed,
    journal: journal.filter(
      ({ outcome, position }) => outcome !== "frozen" || others.has(position),
    ),
  };
}

function thawedAt(now: number, recipient: StoredRecipient): StoredRecipient {
  const { frozenWhy: _, waitsFor: __, heldDomain: ___, waitsBecause: ____, ...rest } = recipient;
  const thawed = { ...rest, state: "pending", nextAttempt: now } as const;
  if (recipient.state !== "frozen") return thawed;
  const { firstFailure: _____, clocks: ______, ...anew } = thawed;
  return anew;
}

/** By the postmaster's word: what is known of hosts does not hold it back. */
function makeDue({ recipients, journal }: Ordered, means: Meant, now: number): Ordered {
  const due = (recipient: StoredRecipient): StoredRecipient => {
    const { waitsBecause: _, ...rest } = recipient;
    return { ...rest, nextAttempt: now, forced: true };
  };
  return {
    recipients: recipients.map((one) => (means(one) && isPending(one) ? due(one) : one)),
    journal,
  };
}

/** Is each of them for a domain on hold, so that nothing of it is tried? Copies are, whatever is on hold. */
function areHeld(recipients: Recipients, { holds }: Tables): boolean {
  return recipients
    .filter(isPending)
    .every(
      ({ clocks, heldDomain, mailbox }) =>
        clocks === undefined && (heldDomain !== undefined || holds.has(mailbox.domain)),
    );
}

function followed(row: Row): Row {
  const { recipients } = row.message;
  const state = recipients.some(isPending) ? "queued" : "frozen";
  return {
    ...row,
    message: { ...row.message, state },
    frozenFor: 0,
    nextAttempt: firstDue(recipients, row.nextAttempt),
  };
}
