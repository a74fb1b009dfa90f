// What is still to be known of a header section when its fields have been looked at. It does not grow with the section:
// a message may stay in the middle of its body for half an hour.

import type { Field } from "../../mail/header-fields.ts";

/**
 * RFC 5322 3.6, RFC 2045 3: at most one of each. A second one would be what a reader sees, and a signature covers the
 * other: with another Content-Type the same body is another letter.
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

/** By these a program acts on its own, or says that somebody else has sent the letter on. No signer leaves them out. */
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
  /** Every line belongs to a field that is written as RFC 5322 has it. */
  readonly wellFormed: boolean;
  /** Fields of these names, DKIM-Signature included. */
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
