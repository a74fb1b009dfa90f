// Applies the changes of an attempt to a message in memory.

import { given } from "../../base/given.ts";
import type { RecipientRequest } from "../../mail/envelope.ts";
import type {
  JournalEntry,
  RecipientChange,
  Settlement,
  StoredMessage,
  StoredRecipient,
} from "../spool.ts";
import { firstDue, type Row } from "./tables.ts";

export function settledRow(row: Row, settlement: Settlement, state: StoredMessage["state"]): Row {
  const { at, warnings, vouched, vouchTries } = settlement;
  const changes = new Map(settlement.recipients.map((change) => [change.position, change]));
  const recipients = row.message.recipients.map((recipient) => {
    const change = changes.get(recipient.position);
    return change === undefined ? recipient : changedRecipient(recipient, change);
  });
  return {
    ...row,
    message: {
      ...withJournal(row.message, settlement.journal),
      state,
      recipients,
      warnings,
      ...given({ vouched, vouchTries }),
    },
    nextAttempt: firstDue(recipients, row.nextAttempt),
    scheduledAt: Math.max(row.scheduledAt, at),
  };
}

/** Returns the message with more journal entries. A later entry replaces an earlier one with the same key. */
export function withJournal(
  message: StoredMessage,
  entries: readonly JournalEntry[],
): StoredMessage {
  const all = new Map([...message.journal, ...entries].map((entry) => [keyOf(entry), entry]));
  return { ...message, journal: [...all.values()].toSorted((a, b) => a.at - b.at) };
}

function keyOf({ unseen, target }: JournalEntry): string {
  return `${unseen === true} ${target}`;
}

/** Returns the recipient with all fields of the change, and without `forced`: the ordered attempt is done. */
function changedRecipient(recipient: StoredRecipient, change: RecipientChange): StoredRecipient {
  const { firstFailure, lastStatus, waitsFor, heldDomain, heldTransport, waitsBecause } = change;
  const { clocks, mailDone, frozenWhy, withheld } = change;
  return {
    ...requestOf(recipient),
    position: recipient.position,
    state: change.state,
    attempts: change.attempts,
    nextAttempt: change.nextAttempt,
    ...given({ firstFailure, lastStatus, waitsFor, heldDomain, heldTransport, waitsBecause }),
    ...given({ clocks, mailDone, frozenWhy, withheld }),
  };
}

function requestOf({ mailbox, notify, orcpt }: StoredRecipient): RecipientRequest {
  return { mailbox, ...given({ notify, orcpt }) };
}
