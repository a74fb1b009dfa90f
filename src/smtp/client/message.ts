// The extensions that a message needs beyond RFC 5321, compared with those that the server offers.
//
// Promises:
// - A UTF-8 address or header goes only to servers that take it (RFC 6531 3.2).
// - The content is never changed. If it was declared as 8-bit, it goes unchanged even to a server without 8BITMIME,
//   unless the transport asks for strict RFC 6152 3.
// - A body in memory is examined. For a streamed body the client's declaration counts where that is safe. A streamed
//   body is read through only if the server lacks an extension.

import { isAscii } from "node:buffer";
import type { Body, Envelope, Mailbox } from "../../mail/envelope.ts";
import { status, type Status } from "../../mail/status.ts";
import type { Capabilities } from "./capabilities.ts";

export interface TransactionRecipient {
  readonly mailbox: Mailbox;
  readonly notify?: string;
  readonly orcpt?: string;
}

/** One message to one server. */
export interface Transaction {
  readonly envelope: Pick<
    Envelope,
    "sender" | "eightBit" | "smtputf8" | "requireTls" | "ret" | "envid"
  >;
  readonly recipients: readonly TransactionRecipient[];
  readonly body: Body;
  /** Treatment of declared 8-bit content if the server does not offer 8BITMIME. Absent: it goes as it is. */
  readonly eightBit?: EightBit;
}

export type EightBit = "pass" | "bounce";

const NOT_EIGHT_BIT = status(550, "6.3", "The next host does not take 8-bit content");
export const STILL_COMING = status(
  451,
  "3.0",
  "Only a message that is here whole can be sent to this host",
);
const NO_REQUIRETLS = status(550, "7.30", "The next host does not offer REQUIRETLS");
const NOT_UTF8 = status(550, "6.7", "The next host does not take internationalized mail");

/** Returns the reason why this server cannot take the message, or undefined if it can. */
export async function messageRefusal(
  { envelope, body, eightBit }: Transaction,
  offered: Capabilities,
): Promise<Status | undefined> {
  // A second check: the caller should have chosen a server that offers REQUIRETLS.
  if (envelope.requireTls === true && !offered.requireTls) return NO_REQUIRETLS;
  if (offered.size !== undefined && offered.size > 0 && body.size > offered.size) {
    return status(552, "3.4", `Message too big: the next host takes ${offered.size} bytes`);
  }
  if (!offered.smtputf8) {
    if (envelope.sender !== null && asciiAddress(envelope.sender) === undefined) return NOT_UTF8;
    if (envelope.smtputf8 && !(await hasAsciiHeader(body))) return NOT_UTF8;
  }
  // Undeclared 8-bit content broke the rules before it reached the relay. It always goes on as it is.
  const isBarred = eightBit === "bounce" && envelope.eightBit && !offered.eightBitMime;
  return isBarred && !(await hasAsciiContent(body)) ? NOT_EIGHT_BIT : undefined;
}

/**
 * Whether the message must be complete in the spool first: it is still coming in, and was read for another host already
 * or must be read through before it is sent.
 */
export function mustBeWhole(
  { envelope, body, eightBit }: Transaction,
  offered: Capabilities,
): boolean {
  const isLookedAt = eightBit === "bounce" && envelope.eightBit && !offered.eightBitMime;
  const mustBeRead = (envelope.smtputf8 && !offered.smtputf8) || isLookedAt;
  return body.unread === false || (body.unread === true && mustBeRead);
}

/** Returns the reason why this server cannot take this recipient, or undefined if it can. */
export function recipientRefusal(mailbox: Mailbox, offered: Capabilities): Status | undefined {
  return offered.smtputf8 || asciiAddress(mailbox) !== undefined ? undefined : NOT_UTF8;
}

function isAsciiText(text: string): boolean {
  return Buffer.byteLength(text) === text.length;
}

/** Returns the address in ASCII. A domain has an A-label form; a local part in UTF-8 has none (undefined). */
function asciiAddress({ address, domain }: Mailbox): string | undefined {
  if (isAsciiText(address)) return address;
  const at = address.lastIndexOf("@") + 1;
  return isAsciiText(address.slice(0, at)) ? address.slice(0, at) + domain : undefined;
}

// ---- the command lines, all with their CRLF ----

/** Whether MAIL announces 8-bit content. For a streamed body it always does, which is harmless. */
function announcesEightBit({ envelope, body }: Transaction): boolean {
  return envelope.eightBit || body.inline === undefined || !isAscii(body.inline);
}

export function mailCommand(transaction: Transaction, offered: Capabilities): string {
  const { sender, smtputf8, requireTls, ret, envid } = transaction.envelope;
  let line = `MAIL FROM:<${addressFor(sender, offered)}>`;
  if (offered.size !== undefined && transaction.body.size > 0)
    line += ` SIZE=${transaction.body.size}`;
  if (offered.eightBitMime && announcesEightBit(transaction)) line += " BODY=8BITMIME";
  if (offered.smtputf8 && (smtputf8 || hasUtf8Address(transaction))) line += " SMTPUTF8";
  if (requireTls === true) line += " REQUIRETLS";
  if (offered.dsn && ret !== undefined) line += ` RET=${ret}`;
  if (offered.dsn && envid !== undefined) line += ` ENVID=${safe(envid)}`;
  return `${line}\r\n`;
}

export function rcptCommand(recipient: TransactionRecipient, offered: Capabilities): string {
  const { mailbox, notify, orcpt } = recipient;
  let line = `RCPT TO:<${addressFor(mailbox, offered)}>`;
  if (offered.dsn && notify !== undefined) line += ` NOTIFY=${safe(notify)}`;
  if (offered.dsn && orcpt !== undefined) line += ` ORCPT=${safe(orcptFor(orcpt, offered))}`;
  return `${line}\r\n`;
}

/** RFC 6533 3: without SMTPUTF8 an address of the type utf-8 is written in ASCII. */
function orcptFor(orcpt: string, { smtputf8 }: Capabilities): string {
  if (smtputf8 || isAsciiText(orcpt)) return orcpt;
  return orcpt.replaceAll(/\P{ASCII}/gu, (character) => {
    const hex = character.codePointAt(0)?.toString(16).toUpperCase() ?? "";
    return `\\x{${hex}}`;
  });
}

function hasUtf8Address({ envelope, recipients }: Transaction): boolean {
  return (
    (envelope.sender !== null && !isAsciiText(envelope.sender.address)) ||
    recipients.some(({ mailbox }) => !isAsciiText(mailbox.address))
  );
}

function addressFor(mailbox: Mailbox | null, offered: Capabilities): string {
  if (mailbox === null) return "";
  return safe(offered.smtputf8 ? mailbox.address : (asciiAddress(mailbox) ?? mailbox.address));
}

/** Returns `argument`. Throws if it holds a character that would end the command line: that is a bug. */
function safe(argument: string): string {
  for (const end of ["\r", "\n", "\0"]) {
    if (argument.includes(end)) {
      throw new Error(`not fit for an SMTP command: ${JSON.stringify(argument)}`);
    }
  }
  return argument;
}

// ---- the content ----

async function hasAsciiContent(body: Body): Promise<boolean> {
  if (body.inline !== undefined) return isAscii(body.inline);
  for await (const chunk of body.chunks()) {
    if (!isAscii(chunk)) return false;
  }
  return true;
}

const HEADER_END = "\r\n\r\n";

async function hasAsciiHeader(body: Body): Promise<boolean> {
  if (body.inline !== undefined) {
    const end = body.inline.indexOf(HEADER_END);
    return isAscii(end < 0 ? body.inline : body.inline.subarray(0, end));
  }
  let tail = "";
  for await (const chunk of body.chunks()) {
    // The end of the header section may straddle two chunks, so the last octets are searched again.
    const text = tail + chunk.toString("latin1");
    const end = text.indexOf(HEADER_END);
    if (end >= 0) return isAscii(chunk.subarray(0, Math.max(0, end - tail.length)));
    if (!isAscii(chunk)) return false;
    tail = text.slice(1 - HEADER_END.length);
  }
  return true;
}
