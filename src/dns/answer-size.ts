// Memory that a DNS answer takes. Its records are chosen by a foreign server, so a cache that counted only answers
// would have no bound.

import type { Answer } from "./dns.ts";

/** Octets of an entry in addition to its records: key, place in the order, times. */
const ENTRY = 400;
/** Octets of one record in addition to its text. */
const RECORD = 80;
/** Octets of a separate Buffer in addition to its content. */
const BUFFER = 520;
/** Octets of a character: a text beyond Latin-1 has two for each. */
const CHARACTER = 2;

/** Characters and octets in the records, without the name that was asked for and the canonical name. */
export function answerLength(answer: Answer<unknown>): number {
  let length = 0;
  if (answer.kind === "found") for (const record of answer.records) length += recordLength(record);
  return length;
}

/** Octets of memory that an answer takes under its name, at most. */
export function answerSize(name: string, answer: Answer<unknown>): number {
  const around = ENTRY + CHARACTER * name.length;
  if (answer.kind === "temporary") return around + CHARACTER * answer.error.length;
  if (answer.kind !== "found") return around;
  const canonical = answer.canonical?.length ?? 0;
  let size = around + CHARACTER * (canonical + answerLength(answer));
  for (const record of answer.records) size += RECORD + BUFFER * buffersIn(record);
  return size;
}

function buffersIn(record: unknown): number {
  if (typeof record !== "object" || record === null) return 0;
  return Object.values(record).filter((field) => Buffer.isBuffer(field)).length;
}

function recordLength(record: unknown): number {
  if (typeof record === "string") return record.length;
  if (Buffer.isBuffer(record)) return record.length;
  if (typeof record !== "object" || record === null) return 0;
  let length = 0;
  for (const field of Object.values(record)) length += recordLength(field);
  return length;
}
