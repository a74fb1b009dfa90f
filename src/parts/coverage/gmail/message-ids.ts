// The identity of a message: its Message-IDs, in a form that is the same for the bytes in the archive and for what the
// Gmail API shows of them.
//
// The Gmail API unfolds fields and decodes octets above ASCII. Google adds a Message-ID to a message without one, and
// replaces one that it cannot read. Such a message is recognized by its date and its author.
//
// Invariant: the work is linear in the length of a field, and what is kept of a message is bounded.

export interface Identity {
  /** The Message-IDs in their order, without brackets, blanks and comments. Most messages have one. */
  readonly ids: readonly string[];
  /** Its date and its author; absent if the message has neither. */
  readonly signature?: string;
}

const IDS_MAX = 8;
const VALUE_MAX = 4096;
const ID_MAX = 1000;

/** What Google writes into a message without a usable Message-ID. */
const ADDED = /\bSMTPIN_ADDED_(?:MISSING|BROKEN)@mx\.google\.com$/i;

/** The ids in the values of all Message-ID fields of a message. */
export function messageIdsIn(values: readonly string[]): string[] {
  const ids = new Set<string>();
  for (const value of values) {
    for (const id of idsIn(steady(value.slice(0, VALUE_MAX)))) {
      if (ids.size < IDS_MAX && !ADDED.test(id)) ids.add(id);
    }
  }
  return [...ids];
}

/** Octets above ASCII look different after decoding, so a run of them counts as one character. */
function steady(value: string): string {
  return value.replaceAll(/[^\0-\x7F]+/g, "\uFFFD").replaceAll(/[\0\r\n]+/g, " ");
}

/** The ids in angle brackets; without brackets, the rest of the value. */
function idsIn(value: string): string[] {
  const ids: string[] = [];
  let bare = "";
  let hasComments = true;
  for (let at = 0; at < value.length;) {
    const character = value[at];
    if (character === "<") {
      const end = value.indexOf(">", at);
      const close = end < 0 ? value.length : end;
      ids.push(value.slice(at + 1, close));
      at = close + 1;
      continue;
    }
    const end: number | undefined =
      character === "(" && hasComments ? endOfComment(value, at) : undefined;
    // If this one has no end, no later one has.
    if (character === "(" && end === undefined) hasComments = false;
    if (end === undefined) bare += character;
    at = end ?? at + 1;
  }
  return (ids.length > 0 ? ids : [bare])
    .map((id) => id.replaceAll(/\s+/g, "").slice(0, ID_MAX))
    .filter((id) => id !== "");
}

/** The position after the comment that begins at `start` (RFC 5322 3.2.2). Undefined if it has no end. */
function endOfComment(value: string, start: number): number | undefined {
  let depth = 0;
  for (let at = start; at < value.length; at++) {
    const character = value[at];
    if (character === "\\") at++;
    else if (character === "(") depth++;
    else if (character === ")" && --depth === 0) return at + 1;
  }
  return undefined;
}

/** The date in seconds, and the author's address. Undefined if either is missing. */
export function signatureOf(
  date: string | undefined,
  from: string | undefined,
): string | undefined {
  if (date === undefined || from === undefined) return undefined;
  const written = steady(date.slice(0, VALUE_MAX)).replaceAll(/\s+/g, " ").trim();
  const time = Date.parse(written.replace(/ ?\([^()]*\)$/, ""));
  const author = addressesIn(from)[0] ?? steady(from.slice(0, VALUE_MAX)).trim().toLowerCase();
  if (written === "" || author === "") return undefined;
  return `${Number.isNaN(time) ? written : Math.floor(time / 1000)} ${author}`;
}

const ADDRESSES_MAX = 1000;
const LIST_MAX = 64 * 1024;

/** The addresses in a field of addresses, in lower case: good enough to guess by. */
export function addressesIn(value: string): string[] {
  const found = value
    .slice(0, LIST_MAX)
    .matchAll(/[^\s<>"(),:;@]{1,128}@[a-z0-9][a-z0-9.-]{0,253}/gi);
  return Array.from(found.take(ADDRESSES_MAX), ([address]) => address.toLowerCase());
}
