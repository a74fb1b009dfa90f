// The operators of the query language and their values: from:alice, older:30d, has:attachment.

import { suggestion } from "../../../options/options.ts";
import { type Condition, type Range, TEXT_FIELDS, type TextField } from "./condition.ts";
import { dayAfter, type Moment, parseAge, parseDay, parseSize, startOfDay } from "./days.ts";

/** A mistake in a query, in one line. */
export class QueryProblem extends Error {
  /** A longer text is cut: it quotes the query. */
  constructor(text: string) {
    super(text.length > PROBLEM_MAX ? `${text.slice(0, PROBLEM_MAX)}…` : text);
  }
}

const PROBLEM_MAX = 300;

type Operator = (value: string, moment: Moment, name: string) => Condition;

/** Operators whose value is no text of the message. */
export const OPERATORS: Readonly<Record<string, Operator>> = {
  account: (value) => ({ kind: "account", account: value.replace(/^\*(?=@)/, "") }),
  folder: (value) => ({ kind: "folder", folder: value }),
  in: folderIn,
  has: attachment,
  after: (value, moment, name) => delivered({ from: dayStart(value, moment, name) }),
  before: (value, moment, name) => delivered({ before: dayStart(value, moment, name) }),
  on: (value, moment, name) =>
    delivered({
      from: dayStart(value, moment, name),
      before: dayStart(value, moment, name, 1),
    }),
  older: (value, { now }, name) => delivered({ before: now - age(value, name) }),
  newer: (value, { now }, name) => delivered({ from: now - age(value, name) }),
  larger: (value, _, name) => ({ kind: "size", range: { from: size(value, name) + 1 } }),
  smaller: (value, _, name) => ({ kind: "size", range: { before: size(value, name) } }),
  id: (value) => ({ kind: "messageId", id: value.replace(/^<(.*)>$/s, "$1") }),
};

const NAMES = [...TEXT_FIELDS, ...Object.keys(OPERATORS)];

/** Operators of other programs, and what they are called here. */
const OTHERS: Readonly<Record<string, string>> = {
  cc: "to:",
  bcc: "to:",
  label: "folder:",
  newer_than: "newer:",
  older_than: "older:",
  since: "after:",
  until: "before:",
  date: "on:",
  size: "larger:",
  msgid: "id:",
  rfc822msgid: "id:",
  messageid: "id:",
  attachments: "has:attachment",
};

/** The beginnings of subjects, as people paste them. */
const SUBJECT_PREFIXES = new Set(["re", "fw", "fwd", "aw", "wg", "sv", "vs", "tr", "antw"]);

/**
 * The name of the operator that the word begins with, in lower case. Undefined for text with a colon that is no
 * operator: http://…, 12:30, Re:. Throws QueryProblem for an unknown one.
 */
export function operatorOf(word: string): string | undefined {
  const [, written, rest = ""] = /^([A-Za-z][A-Za-z_]*):(.*)$/s.exec(word) ?? [];
  if (written === undefined || rest.startsWith("//")) return undefined;
  const name = written.toLowerCase();
  if (NAMES.includes(name)) return name;
  if (SUBJECT_PREFIXES.has(name)) return undefined;
  const other = OTHERS[name];
  const meant = other === undefined ? suggestion(name, NAMES) : `, did you mean "${other}"?`;
  throw new QueryProblem(
    `unknown operator "${written}:"${meant || "."} To search for the text, write it in quotes`,
  );
}

export function isTextField(name: string): name is TextField {
  return TEXT_FIELDS.some((field) => field === name);
}

const delivered = (range: Range): Condition => ({ kind: "delivered", range });

function folderIn(value: string): Condition {
  const folder = { sent: "Sent", inbox: "INBOX" }[value.toLowerCase()];
  if (folder === undefined) {
    throw new QueryProblem(
      `in: takes "sent" or "inbox", not "${value}"; for another folder, write folder:${value}`,
    );
  }
  return { kind: "folder", folder };
}

function attachment(value: string): Condition {
  if (/^attachments?$/i.test(value)) return { kind: "hasAttachment" };
  throw new QueryProblem(`has: takes "attachment", not "${value}"`);
}

function dayStart(value: string, moment: Moment, name: string, later = 0): number {
  const day = parseDay(value, moment);
  if (day !== undefined) return startOfDay(dayAfter(day, later), moment.zone);
  const newer = parseAge(value) === undefined ? "" : `; an age goes with newer:${value}`;
  throw new QueryProblem(
    `${name}: takes a day such as 2026-11-30, today or yesterday, not "${value}"${newer}`,
  );
}

function age(value: string, name: string): number {
  const milliseconds = parseAge(value);
  if (milliseconds !== undefined) return milliseconds;
  const months = /^(\d{1,4})(?:m|mo|months?)$/i.exec(value)?.[1];
  const days = months === undefined ? "" : `; for ${months} months, write ${Number(months) * 30}d`;
  throw new QueryProblem(`${name}: takes an age such as 12h, 30d, 2w or 1y, not "${value}"${days}`);
}

function size(value: string, name: string): number {
  const octets = parseSize(value);
  if (octets !== undefined) return octets;
  throw new QueryProblem(`${name}: takes a size such as 64K, 5M or 1G, not "${value}"`);
}
