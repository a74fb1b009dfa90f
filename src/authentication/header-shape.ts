// What is still to be known of a header section when its fields have been looked at. It does not grow with the section:
// a message may stay in the middle of its body for half an hour.

import type { Field } from "./header-fields.ts";

/** RFC 5322 3.6: at most one of each. A second one would be what a reader sees, and a signature covers the other. */
export const ONLY_ONCE = [
  "date",
  "from",
  "sender",
  "reply-to",
  "to",
  "cc",
  "message-id",
  "subject",
];
const COUNTED = [...ONLY_ONCE, "dkim-signature"];

export interface HeaderShape {
  /** Every line belongs to a field that is written as RFC 5322 has it. */
  readonly wellFormed: boolean;
  /** Fields of these names, DKIM-Signature included. */
  readonly counts: ReadonlyMap<string, number>;
}

export function headerShape(fields: readonly Field[]): HeaderShape {
  return {
    wellFormed: fields.every(({ wellFormed }) => wellFormed),
    counts: new Map(COUNTED.map((name) => [name, count(fields, name)])),
  };
}

function count(fields: readonly Field[], wanted: string): number {
  return fields.reduce((sum, { name }) => sum + (name === wanted ? 1 : 0), 0);
}
