// The postmaster's filters, for messages in memory.

import type { Mailbox } from "../../mail/envelope.ts";
import type { AddressFilter, Filter, StoredMessage } from "../spool.ts";

export function isWanted({ envelope, state, recipients }: StoredMessage, filter: Filter): boolean {
  const { sender, recipient } = filter;
  return (
    (filter.state === undefined || state === filter.state) &&
    (filter.until === undefined || envelope.receivedAt <= filter.until) &&
    (filter.after === undefined || envelope.receivedAt > filter.after) &&
    (sender === undefined || isFrom(envelope.sender, sender)) &&
    (recipient === undefined || recipients.some(({ mailbox }) => isMeant(mailbox, recipient)))
  );
}

function isFrom(sender: Mailbox | null, filter: AddressFilter | null): boolean {
  return sender === null || filter === null ? sender === filter : isMeant(sender, filter);
}

export function isMeant(mailbox: Mailbox, { domain, localPart }: AddressFilter): boolean {
  if (mailbox.domain !== domain) return false;
  return localPart === undefined || isSame(mailbox.localPart, localPart);
}

function isSame(a: string, b: string): boolean {
  return lowerCase(a) === lowerCase(b);
}

/** Lowers ASCII letters only, as SQLite's NOCASE does. */
function lowerCase(text: string): string {
  return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
