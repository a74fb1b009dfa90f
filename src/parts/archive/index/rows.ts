// The rows of the table `messages`: how the values of a message are written and read, and in how many octets.

import { hash } from "node:crypto";
import { numberOf, type Row, textOf } from "../../../base/durable/columns.ts";
import { folderNameOf } from "../model/folder-name.ts";
import { deliveredAtOf } from "../model/ids.ts";
import type { ArchivedMessage } from "../model/message.ts";
import { type MaildirFile, type MaildirPart, PARTS } from "../model/maildir-place.ts";

/** Characters of a header field that the index keeps. All of its words are in the full text. */
const FIELD_MAX = 400;

/** Characters of all names of attachments together. */
const NAMES_MAX = 1000;

/** The columns that `messageOf` reads. `m` is the row, `f` its folder, `a` its account. */
export const MESSAGE_COLUMNS =
  "m.*, a.name AS account_name, f.directory AS folder_directory FROM messages m " +
  "JOIN folders f ON f.number = m.folder JOIN accounts a ON a.number = m.account";

export function messageOf(row: Row): ArchivedMessage {
  const id = numberOf(row["id"]);
  const { date, attachments, sha256, content_sha256: content } = row;
  return {
    id,
    account: textOf(row["account_name"]),
    folder: folderNameOf(textOf(row["folder_directory"])),
    name: textOf(row["unique_name"]),
    deliveredAt: deliveredAtOf(id, numberOf(row["shift"])),
    size: numberOf(row["size"]),
    sha256: hexOf(sha256),
    contentSha256: hexOf(content ?? sha256),
    date: typeof date === "number" ? date : undefined,
    from: textOf(row["sender"]),
    to: textOf(row["recipients"]),
    subject: textOf(row["subject"]),
    messageId: textOf(row["message_id"]),
    attachments: namesOf(attachments),
    isParsed: row["parsed"] === 1,
  };
}

export function hexOf(value: unknown): string {
  if (!(value instanceof Uint8Array)) throw new TypeError("not a hash in the index");
  return Buffer.from(value).toString("hex");
}

function namesOf(value: unknown): string[] {
  const names: unknown = typeof value === "string" ? JSON.parse(value) : [];
  return Array.isArray(names) ? names.map(String) : [];
}

export function bounded(text: string): string {
  if (text.length <= FIELD_MAX) return text;
  return `${text
    .slice(0, FIELD_MAX - 1)
    .toWellFormed()
    .replace(/\uFFFD$/, "")}…`;
}

/** The column `attachments`: the first names, in a bounded number of characters. */
export function attachmentsColumn(names: readonly string[]): string | null {
  const written: string[] = [];
  let room = NAMES_MAX;
  for (const name of names) {
    const short = bounded(name);
    room -= short.length;
    if (room < 0) break;
    written.push(short);
  }
  return names.length === 0 ? null : JSON.stringify(written);
}

/** The column `place`: NULL for new/NAME. */
export function placeColumn({ part, suffix }: Pick<MaildirFile, "part" | "suffix">): string | null {
  return part === "new" && suffix === "" ? null : part + suffix;
}

export function placeOf(name: string, column: unknown): MaildirFile {
  if (typeof column !== "string") return { part: "new", name, suffix: "" };
  const part: MaildirPart = PARTS.find((one) => column.startsWith(one)) ?? "cur";
  return { part, name, suffix: column.slice(part.length) };
}

/** 48 bits: names of one folder that share a hash are compared as texts. */
const HASH_OCTETS = 6;

export function nameHash(name: string): number {
  return Number.parseInt(hash("sha256", name).slice(0, HASH_OCTETS * 2), 16);
}
