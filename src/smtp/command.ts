// What a client may say in one command line, parsed strictly (RFC 5321 4.1.1, RFC 3461 4, RFC 6152, RFC 6531,
// RFC 8689).
// Pure functions: text in; a request or the reply that refuses it out.
//
// Invariant: nothing is skipped. Junk behind an address, an unknown or repeated parameter, a value that its
// parameter does not take: each is refused, because what is not understood cannot be passed on rightly.

import { isAscii } from "node:buffer";
import type { Mailbox, RecipientRequest } from "../envelope.ts";
import { parseAddress } from "../lists/cidr.ts";
import { status, type Status } from "../status.ts";
import { needsSmtpUtf8, parseMailbox } from "./address.ts";

export interface MailRequest {
  /** null is <>. */
  readonly sender: Mailbox | null;
  /** RFC 1870: what the client says the message will have. */
  readonly declaredSize?: number;
  readonly eightBit: boolean;
  readonly smtputf8: boolean;
  /** RFC 8689. */
  readonly requireTls?: true;
  readonly ret?: "FULL" | "HDRS";
  readonly envid?: string;
}

type Parsed<T> = { readonly ok: T } | { readonly refused: Status };

const refused = (code: number, detail: string, text: string) => ({
  refused: status(code, detail, text),
});

/** A path in brackets, where a quoted local part may hold any bracket, and the parameters behind it. */
const PATH_AND_PARAMETERS = /^ *<((?:"(?:[^"\\]|\\.)*"|[^<>"])*)>(?: +(.*?))? *$/su;

/** RFC 3461 4: no "=" and "+" only as the mark of two hex digits. UTF-8 for utf-8 addresses (RFC 6533 3). */
const XTEXT = /^(?:[!-*,-<>-~\u0080-\u{10FFFF}]|\+[0-9A-F]{2})+$/u;
const ORCPT = /^[A-Za-z0-9-]+;/;
const ENVID_LENGTH_MAX = 100;
const ORCPT_LENGTH_MAX = 500;

export function parseMail(argument: string): Parsed<MailRequest> {
  const path = splitPath("FROM:", argument);
  if ("refused" in path) return path;
  const { text, parameters } = path.ok;
  const sender = text === "" ? null : parseMailbox(text);
  if (sender === undefined) return refused(501, "1.7", "Bad sender address syntax");

  const known = mailParameters(parameters);
  if ("refused" in known) return known;
  if (needsSmtpUtf8(sender) && !known.ok.smtputf8) {
    return refused(553, "6.7", "Address needs SMTPUTF8");
  }
  return { ok: { sender, ...known.ok } };
}

function mailParameters(
  parameters: ReadonlyMap<string, string>,
): Parsed<Omit<MailRequest, "sender">> {
  const request: { -readonly [K in keyof Omit<MailRequest, "sender">]: MailRequest[K] } = {
    eightBit: false,
    smtputf8: false,
  };
  for (const [keyword, value] of parameters) {
    if (keyword === "SIZE" && /^\d{1,20}$/.test(value)) request.declaredSize = Number(value);
    else if (keyword === "BODY" && /^(?:7BIT|8BITMIME)$/i.test(value)) {
      request.eightBit = value.toUpperCase() === "8BITMIME";
    } else if (keyword === "SMTPUTF8" && value === "") request.smtputf8 = true;
    else if (keyword === "REQUIRETLS" && value === "") request.requireTls = true;
    else if (keyword === "RET" && /^FULL$/i.test(value)) request.ret = "FULL";
    else if (keyword === "RET" && /^HDRS$/i.test(value)) request.ret = "HDRS";
    else if (keyword === "ENVID" && isEnvid(value)) {
      request.envid = value;
    } else
      return refusedParameter(keyword, ["SIZE", "BODY", "SMTPUTF8", "REQUIRETLS", "RET", "ENVID"]);
  }
  return { ok: request };
}

/** `qualify` completes the bare <postmaster> that every host must take (RFC 5321 4.5.1). */
export function parseRcpt(
  argument: string,
  smtputf8: boolean,
  qualify: string | undefined,
): Parsed<RecipientRequest> {
  const path = splitPath("TO:", argument);
  if ("refused" in path) return path;
  const { text, parameters } = path.ok;
  const bare = text.toLowerCase() === "postmaster" && qualify !== undefined;
  const mailbox = parseMailbox(bare ? `${text}@${qualify}` : text);
  if (mailbox === undefined) return refused(501, "1.3", "Bad recipient address syntax");
  if (needsSmtpUtf8(mailbox) && !smtputf8) return refused(553, "6.7", "Address needs SMTPUTF8");

  const notify = parameters.get("NOTIFY")?.toUpperCase();
  const orcpt = parameters.get("ORCPT");
  for (const keyword of parameters.keys()) {
    if (keyword !== "NOTIFY" && keyword !== "ORCPT") return refusedParameter(keyword, []);
  }
  if (notify !== undefined && !isNotify(notify)) return refusedParameter("NOTIFY", ["NOTIFY"]);
  if (orcpt !== undefined && !isOrcpt(orcpt, smtputf8)) return refusedParameter("ORCPT", ["ORCPT"]);
  return {
    ok: {
      mailbox,
      ...(notify === undefined ? {} : { notify }),
      ...(orcpt === undefined ? {} : { orcpt }),
    },
  };
}

function isEnvid(value: string): boolean {
  return XTEXT.test(value) && isAscii(Buffer.from(value)) && value.length <= ENVID_LENGTH_MAX;
}

/** "NEVER" alone, or SUCCESS, FAILURE and DELAY once each (RFC 3461 4.1). */
function isNotify(value: string): boolean {
  if (value === "NEVER") return true;
  const words = value.split(",");
  return (
    new Set(words).size === words.length &&
    words.every((word) => /^(?:SUCCESS|FAILURE|DELAY)$/.test(word))
  );
}

/** Characters beyond ASCII only of the type utf-8, and where the client has declared SMTPUTF8 (RFC 6533 3). */
function isOrcpt(value: string, smtputf8: boolean): boolean {
  const type = ORCPT.exec(value)?.[0];
  if (type === undefined || value.length > ORCPT_LENGTH_MAX) return false;
  const mayBeUnicode = smtputf8 && type.toLowerCase() === "utf-8;";
  return XTEXT.test(value.slice(type.length)) && (mayBeUnicode || isAscii(Buffer.from(value)));
}

/** RFC 5321 4.1.1.11: 555 for a parameter that is unknown, 501 for a value that is wrong. */
function refusedParameter(keyword: string, known: readonly string[]) {
  return known.includes(keyword)
    ? refused(501, "5.4", `Bad value of ${keyword}`)
    : refused(555, "5.4", "Unsupported parameter");
}

function splitPath(
  keyword: string,
  argument: string,
): Parsed<{ text: string; parameters: ReadonlyMap<string, string> }> {
  const starts = argument.slice(0, keyword.length).toUpperCase() === keyword;
  const match = starts ? PATH_AND_PARAMETERS.exec(argument.slice(keyword.length)) : null;
  if (match === null) return refused(501, "5.4", `Syntax: ${keyword}<address>`);
  const parameters = new Map<string, string>();
  for (const word of (match[2] ?? "").split(/ +/)) {
    if (word === "") continue;
    const equals = word.indexOf("=");
    const name = (equals < 0 ? word : word.slice(0, equals)).toUpperCase();
    if (!/^[A-Z0-9][A-Z0-9-]*$/.test(name) || equals === word.length - 1) {
      return refused(501, "5.4", "Bad parameter syntax");
    }
    if (parameters.has(name)) return refused(501, "5.4", `${name} is given twice`);
    parameters.set(name, equals < 0 ? "" : word.slice(equals + 1));
  }
  return { ok: { text: match[1] ?? "", parameters } };
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });

/** The command without its CRLF; undefined for a bare CR or LF, control characters or invalid UTF-8. */
export function decodeLine(line: Buffer): string | undefined {
  const end = line.length - 2;
  if (end < 0 || line[end] !== 13) return undefined;
  let ascii = true;
  for (let i = 0; i < end; i++) {
    const byte = line[i] ?? 0;
    if (byte < 32 || byte === 127) return undefined;
    if (byte > 127) ascii = false;
  }
  if (ascii) return line.toString("latin1", 0, end);
  try {
    return UTF8.decode(line.subarray(0, end));
  } catch {
    return undefined;
  }
}

/**
 * HELO and EHLO take a name or a literal (RFC 5321 4.1.1.1); what could break a Received header is refused. An address
 * without its brackets, or without "IPv6:" in them, is taken: honest clients write it so.
 */
export function isHeloName(argument: string): boolean {
  if (argument.length > 255) return false;
  const [, literal] = /^\[(?:IPv6:)?([^\]]+)\]$/i.exec(argument) ?? [];
  if (literal !== undefined) return parseAddress(literal) !== undefined;
  return HELO_NAME.test(argument) || parseAddress(argument) !== undefined;
}

/** Labels of anything that a host has ever been called, not all of them signs. */
const HELO_NAME = /^(?=.*[A-Za-z0-9])[\w-]+(?:\.[\w-]+)*\.?$/;
