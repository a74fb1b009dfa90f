// The postmaster's orders for messages in memory.
//
// Invariants:
// - A message under attempt is left alone, because its attempt will decide its state.
// - The state of a message follows from its recipients.

import type { Action, AddressFilter, Change, StoredMessage, StoredRecipient } from "../spool.ts";
import { isMeant } from "./filter.ts";
import { firstDue, idOf, isPending, type Row, type Tables } from "./tables.ts";

type Recipients = readonly StoredRecipient[];

/** Carries out an order for the message `row`. Returns the result for the postmaster. */
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
 * Makes frozen recipients due. Their retry rules begin anew, because they may have ended meanwhile. If several
 * recipients lead to one frozen delivery, it is thawed with any of them, unless the recipient in its journal entry is
 * pending and not selected.
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
  const { frozenWhy: _, waitsFor: __, heldDomain: ___, waitsBecause: ____, ...held } = recipient;
  const { heldTransport: _____h, ...rest } = held;
  const thawed = { ...rest, state: "pending", nextAttempt: now } as const;
  if (recipient.state !== "frozen") return thawed;
  const { firstFailure: _____, clocks: ______, ...anew } = thawed;
  return anew;
}

/** Makes recipients due by the postmaster's order, whatever the hints say. */
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

/** Whether each recipient is for a domain on hold, or waits for a transport on hold, and has no waiting copy, so that nothing of it is tried. */
function areHeld(recipients: Recipients, { holds }: Tables): boolean {
  return recipients
    .filter(isPending)
    .every(
      ({ clocks, heldDomain, heldTransport, mailbox }) =>
        clocks === undefined &&
        (heldDomain !== undefined || heldTransport !== undefined || holds.has(mailbox.domain)),
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
