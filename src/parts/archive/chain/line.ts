// One line of a chained file, as docs/archive.md describes it:
//
//     HASH TIME WORD FIELD FIELD …
//
// HASH is the SHA-256, in hexadecimal, of this line with the hash of the line before in the place of HASH, line end
// included. The first line of all follows 64 zeros. So a line proves itself and every line before it.
//
// Invariant: no field can forge a line or a field. Blanks, line ends, "%" and everything outside of printable ASCII are
// written as %XX of their UTF-8 octets.

import { hash } from "node:crypto";

/** The hash that the first line of a chain follows. */
export const NO_LINE = "0".repeat(64);

/** The most octets of a line, its line end included. Longer lines are never written. */
export const LINE_MAX = 64 * 1024;

const HASH = /^[0-9a-f]{64} /;
const SPECIAL = /[^!-$&-~]/gu;

/** The text as one field. An empty text is written as "%". */
function fieldOf(text: string): string {
  return text === "" ? "%" : text.replaceAll(SPECIAL, percentOf);
}

/** The text that `fieldOf` has written as `field`. Octets that are no UTF-8 become U+FFFD. */
export function textOfField(field: string): string {
  if (!field.includes("%")) return field;
  const octets: Buffer[] = [];
  for (const part of field.split(/(%[0-9A-F]{2})/)) {
    const isEscaped = part.length === 3 && part.startsWith("%");
    octets.push(isEscaped ? Buffer.from(part.slice(1), "hex") : Buffer.from(part));
  }
  return field === "%" ? "" : Buffer.concat(octets).toString();
}

function percentOf(character: string): string {
  const hex = Buffer.from(character).toString("hex").toUpperCase();
  return hex.replaceAll(/../g, "%$&");
}

/** The hash of the line with this text that follows the line with the hash `before`. */
export function hashOf(before: string, text: string): string {
  return hash("sha256", `${before} ${text}\n`);
}

/** The hash and the text of a line without its line end; undefined when it does not begin with a hash. */
export function splitLine(
  line: string,
): { readonly hash: string; readonly text: string } | undefined {
  return HASH.test(line) ? { hash: line.slice(0, 64), text: line.slice(65) } : undefined;
}

/** The text of a line: when it was written, its word and its fields. */
export function lineText(at: Date, word: string, fields: readonly string[]): string {
  return [at.toISOString(), word, ...fields.map(fieldOf)].join(" ");
}

/** Whether `cut`, the octets after the last line end, can be the beginning of a line that was being written. */
export function canBeCut(cut: Buffer): boolean {
  const begin = cut.toString("latin1").replace(/\0+$/, "");
  return /^(?:[0-9a-f]{0,64}|[0-9a-f]{64} [ -~]*)$/.test(begin);
}
