// The header section of a message or of a part of one, read leniently: whatever the lines are, it finds where the body
// begins, and the fields that the archive wants.
//
// Invariant: a line that cannot belong to a header begins the body, so that its words are indexed.

import { FIELD_OCTETS, HEADER_OCTETS } from "./limits.ts";
import type { Octets } from "./octets.ts";

const WANTED = [
  "from",
  "to",
  "cc",
  "subject",
  "date",
  "message-id",
  "content-type",
  "content-transfer-encoding",
  "content-disposition",
  "content-id",
] as const;

type FieldName = (typeof WANTED)[number];

/** Fields whose repetitions are joined. Of the others, the first counts. */
const JOINED: ReadonlyMap<FieldName, string> = new Map<FieldName, string>([
  ["from", ", "],
  ["to", ", "],
  ["cc", ", "],
  ["subject", " "],
]);

const NAMES: ReadonlyMap<string, FieldName> = new Map(WANTED.map((name) => [name, name]));
const LONGEST_NAME = 25;

/** Values by name, unfolded, one character for each octet. */
export type Fields = Partial<Record<FieldName, string>>;

export interface Header {
  readonly fields: Fields;
  /** Position of the first octet of the body. */
  readonly bodyStart: number;
  /** The section is longer than the limit; the rest of it counts as body. */
  readonly isCut: boolean;
}

const FIRST_LOOK = 64 * 1024;
const LF = 10;
const CR = 13;
const SPACE = 32;
const TAB = 9;
const COLON = 58;

/** Reads the header section that begins at `start` and ends at `end` at the latest. */
export function readHeader(octets: Octets, start: number, end: number): Header {
  const first = readWithin(octets, start, Math.min(end, start + FIRST_LOOK));
  if (first.isWhole || start + FIRST_LOOK >= end) return first;
  const second = readWithin(octets, start, Math.min(end, start + HEADER_OCTETS));
  return { ...second, isCut: second.isCut || (!second.isWhole && start + HEADER_OCTETS < end) };
}

interface Section extends Header {
  /** The end of the section was found. */
  readonly isWhole: boolean;
}

function readWithin(octets: Octets, start: number, stop: number): Section {
  const text = octets.text(start, stop);
  const fields: Fields = {};
  let isCut = false;
  const ended = (at: number, isWhole = true) => ({ fields, bodyStart: start + at, isCut, isWhole });
  for (let at = 0, end = 0; at < text.length; at = end) {
    const char = text.charCodeAt(at);
    if (char === LF) return ended(at + 1);
    if (char === CR && text.charCodeAt(at + 1) === LF) return ended(at + 2);
    end = endOfField(text, at);
    const colon = endOfName(text, at, end);
    if (colon < 0 && (at > 0 || !isMailboxLine(text))) return ended(at);
    if (colon >= 0 && colon - at <= LONGEST_NAME && !add(fields, text, at, colon, end))
      isCut = true;
  }
  return ended(text.length, false);
}

function endOfField(text: string, start: number): number {
  for (let at = start; ;) {
    const line = text.indexOf("\n", at);
    if (line < 0) return text.length;
    at = line + 1;
    const next = text.charCodeAt(at);
    if (next !== SPACE && next !== TAB) return at;
  }
}

/** The position of the colon after a field name, or -1. Blanks before the colon are accepted (RFC 5322 4.5). */
function endOfName(text: string, start: number, end: number): number {
  // A delimiter between parts, which may contain a colon.
  if (text.startsWith("--", start)) return -1;
  let at = start;
  while (at < end) {
    const char = text.charCodeAt(at);
    if (char === COLON) return at > start ? at : -1;
    if (char <= SPACE || char === 127) break;
    at++;
  }
  while (text.charCodeAt(at) === SPACE || text.charCodeAt(at) === TAB) at++;
  return at > start && text.charCodeAt(at) === COLON ? at : -1;
}

/** The line that an mbox puts before each message. */
function isMailboxLine(text: string): boolean {
  return /^>?From /.test(text.slice(0, 6));
}

/** Returns false if the value is longer than the limit. */
function add(fields: Fields, text: string, start: number, colon: number, end: number): boolean {
  const name = NAMES.get(text.slice(start, colon).trimEnd().toLowerCase());
  if (name === undefined) return true;
  const stop = Math.min(end, colon + 1 + FIELD_OCTETS);
  const value = text
    .slice(colon + 1, stop)
    .replaceAll(/\r?\n/g, "")
    .trim();
  const before = fields[name];
  if (before === undefined || before === "") fields[name] = value;
  else {
    const joint = JOINED.get(name);
    if (joint === undefined) return true;
    if (before.length >= FIELD_OCTETS) return false;
    fields[name] = before + joint + value;
  }
  return stop === end;
}
