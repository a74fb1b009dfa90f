// The facts about a header section that are needed after its fields were examined. Their size does not depend on the
// section: a message may take half an hour to come in.

import type { Field } from "../../mail/header-fields.ts";

/**
 * Fields of which a message has at most one (RFC 5322 3.6, RFC 2045 3). If there were two, a reader could see one
 * while the signature covers the other. With another Content-Type the same body is another message.
 */
export const ONLY_ONCE = [
  "date",
  "from",
  "sender",
  "reply-to",
  "to",
  "cc",
  "message-id",
  "subject",
  "mime-version",
  "content-type",
  "content-transfer-encoding",
  "content-disposition",
  "content-id",
  "content-description",
  "content-language",
  "content-location",
  "content-base",
];

/**
 * Fields by which a mail program acts by itself, or shows that another person has resent the message. No signer
 * leaves them uncovered.
 */
export const ADDED_LATER = [
  "list-id",
  "list-unsubscribe",
  "list-unsubscribe-post",
  "list-post",
  "list-help",
  "list-subscribe",
  "list-owner",
  "list-archive",
  "resent-date",
  "resent-from",
  "resent-sender",
  "resent-to",
  "resent-cc",
  "resent-bcc",
  "resent-message-id",
];
const COUNTED = [...ONLY_ONCE, ...ADDED_LATER, "dkim-signature"];

export interface HeaderShape {
  /** Whether every line belongs to a field as in RFC 5322. */
  readonly wellFormed: boolean;
  /** The number of fields of each of these names, and of DKIM-Signature. */
  readonly counts: ReadonlyMap<string, number>;
}

export function headerShape(fields: readonly Field[]): HeaderShape {
  return {
    wellFormed: fields.every(({ wellFormed }) => wellFormed),
    counts: countsOf(fields),
  };
}

function countsOf(fields: readonly Field[]): ReadonlyMap<string, number> {
  const counts = new Map(COUNTED.map((name) => [name, 0]));
  for (const { name } of fields) {
    const count = counts.get(name);
    if (count !== undefined) counts.set(name, count + 1);
  }
  return counts;
}
