// The header section of a message that a user sends: what is added to it, what is taken out, and whose mail it claims
// to be (RFC 6409 8).
//
// Invariants:
// - Date and Message-ID are added at the end of the section if they are missing. Bcc is taken out. All other octets
//   stay as they came.
// - A section in which some program could see other fields than the relay is refused.

import { randomUUID } from "node:crypto";
import type { Mailbox } from "../../mail/envelope.ts";
import { type Field, parseHeaderFields } from "../../mail/header-fields.ts";
import { messageDate } from "../../mail/message-date.ts";
import { status, type Status } from "../../mail/status.ts";
import { mailboxesOf } from "./mailboxes.ts";

const TAKEN_OUT: ReadonlySet<string> = new Set(["bcc", "resent-bcc"]);
const AUTHORS: ReadonlySet<string> = new Set(["from", "sender", "resent-from", "resent-sender"]);

const NO_HEADER = status(550, "6.0", "Message refused: it has no proper header section");
const NO_FROM = status(550, "7.60", "Message refused: it has no From with your address");

export interface SubmittedHeader {
  /** The section as it goes on, without the empty line. */
  readonly octets: Buffer;
  /** Everybody whose mail the message claims to be. */
  readonly authors: readonly Mailbox[];
}

export interface HeaderMeans {
  readonly hostname: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** `section` ends with the CRLF of its last line. Returns the refusal if it cannot go on. */
export function submittedHeader(section: Buffer, means: HeaderMeans): SubmittedHeader | Status {
  const fields = parseHeaderFields(section);
  if (fields?.every(({ name, wellFormed }) => wellFormed && name !== "") !== true) return NO_HEADER;
  const authors: Mailbox[] = [];
  for (const { name, value } of fields) {
    if (!AUTHORS.has(name)) continue;
    const mailboxes = mailboxesOf(value);
    if (mailboxes === undefined) return NO_FROM;
    authors.push(...mailboxes);
  }
  const names = new Set(fields.map(({ name }) => name));
  if (!names.has("from")) return NO_FROM;
  return { octets: changed(fields, names, means), authors };
}

function changed(
  fields: readonly Field[],
  names: ReadonlySet<string>,
  { hostname, now }: HeaderMeans,
): Buffer {
  const kept = fields.filter(({ name }) => !TAKEN_OUT.has(name)).map(({ bytes }) => bytes);
  const added = [
    ...(names.has("date") ? [] : [`Date: ${messageDate(now)}\r\n`]),
    ...(names.has("message-id") ? [] : [`Message-ID: <${randomUUID()}@${hostname}>\r\n`]),
  ];
  return Buffer.concat([...kept, Buffer.from(added.join(""))]);
}
