// The syntax of a command line (RFC 5321 4.1.1, RFC 3461 4, RFC 4954 5, RFC 6152, RFC 6531, RFC 8689). Pure functions:
// they take text, and return a request or the reply that refuses it.
//
// Invariants:
// - A line has one reading, or it is refused. Refused are junk after an address, an unknown or repeated parameter, and
//   a value that its parameter does not take.
// - If only the spelling is unusual (no brackets, white space, "+3d"), the request has the canonical spelling.
// - An ENVID or ORCPT that cannot be decoded only decorates a report, so the mail is not refused. The request goes on
//   without it, and the result names it as dropped.

import { isAscii } from "node:buffer";
import type { Draft } from "../../base/given.ts";
import type { RecipientRequest } from "../../mail/envelope.ts";
import { parseAddress } from "../../base/cidr.ts";
import { status, type Status } from "../../mail/status.ts";
import { needsSmtpUtf8, parseMailbox } from "../../mail/address.ts";
import type { MailRequest } from "./reception.ts";

/** `dropped` are parameters with values that cannot be decoded, as they came. The request leaves them out. */
type Parsed<T> =
  | { readonly ok: T; readonly dropped?: readonly string[] }
  | { readonly refused: Status };

const refused = (code: number, detail: string, text: string) => ({
  refused: status(code, detail, text),
});

/**
 * A path in brackets, and the parameters after it. A quoted local part may hold brackets. Each octet can be matched
 * in one way only, so the time is linear in the length of the line.
 */
const PATH_AND_PARAMETERS =
  /^<[ \t]*((?:(?:"(?:[^"\\]|\\.)*"|[^<>" \t])(?:"(?:[^"\\]|\\.)*"|[^<>"])*)?)>(?:[ \t]+(.*))?$/su;
/** The same without brackets. The null reverse-path has no such form. */
const BARE_PATH_AND_PARAMETERS = /^((?:"(?:[^"\\]|\\.)*"|[^<>" \t])+)(?:[ \t]+(.*))?$/su;
const KEYWORD = /^[ \t]*([A-Za-z]+)[ \t]*:[ \t]*/;

/**
 * RFC 3461 4: no "=", and "+" only before two hex digits, in capitals or not. UTF-8 is for utf-8 addresses
 * (RFC 6533 3).
 */
const XTEXT = /^(?:[!-*,-<>-~\u00a0-\u{10FFFF}]|\+[0-9A-Fa-f]{2})+$/u;
const ORCPT = /^[A-Za-z0-9-]+;/;
const ENVID_LENGTH_MAX = 100;
const ORCPT_LENGTH_MAX = 500;

export function parseMail(argument: string): Parsed<MailRequest> {
  const path = splitPath("FROM", argument);
  if ("refused" in path) return path;
  const { text, parameters } = path.ok;
  const sender = text === "" ? null : parseMailbox(text);
  if (sender === undefined) return refused(501, "1.7", "Bad sender address syntax");

  const known = mailParameters(parameters);
  if ("refused" in known) return known;
  if (needsSmtpUtf8(sender) && !known.ok.smtputf8) {
    return refused(553, "6.7", "Address needs SMTPUTF8");
  }
  return { ...known, ok: { sender, ...known.ok } };
}

function mailParameters(
  parameters: ReadonlyMap<string, string>,
): Parsed<Omit<MailRequest, "sender">> {
  const request: { -readonly [K in keyof Omit<MailRequest, "sender">]: MailRequest[K] } = {
    eightBit: false,
    smtputf8: false,
  };
  const dropped: string[] = [];
  for (const [keyword, value] of parameters) {
    if (keyword === "SIZE" && /^\d{1,20}$/.test(value)) request.declaredSize = Number(value);
    else if (keyword === "BODY" && /^(?:7BIT|8BITMIME)$/i.test(value)) {
      request.eightBit = value.toUpperCase() === "8BITMIME";
    } else if (keyword === "SMTPUTF8" && value === "") request.smtputf8 = true;
    else if (keyword === "REQUIRETLS" && value === "") request.requireTls = true;
    else if (keyword === "RET" && /^FULL$/i.test(value)) request.ret = "FULL";
    else if (keyword === "RET" && /^HDRS$/i.test(value)) request.ret = "HDRS";
    else if (keyword === "ENVID") {
      if (isEnvid(value)) request.envid = canonicalXtext(value);
      else dropped.push(`ENVID=${value}`);
    } else if (keyword === "AUTH" && value !== "") {
      // RFC 4954 5: the first submitter, as the client claims. The relay does not use it.
    } else return refusedParameter(keyword, MAIL_PARAMETERS);
  }
  return withDropped(request, dropped);
}

const MAIL_PARAMETERS = ["SIZE", "BODY", "SMTPUTF8", "REQUIRETLS", "RET", "ENVID", "AUTH"];

function withDropped<T>(ok: T, dropped: readonly string[]): Parsed<T> {
  return dropped.length === 0 ? { ok } : { ok, dropped };
}

/** `qualify` completes the bare <postmaster> that every host must take (RFC 5321 4.5.1). */
export function parseRcpt(
  argument: string,
  smtputf8: boolean,
  qualify: string | undefined,
): Parsed<RecipientRequest> {
  const path = splitPath("TO", argument);
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
  if (orcpt !== undefined && !ORCPT.test(orcpt)) return refusedParameter("ORCPT", ["ORCPT"]);
  const isClear = orcpt !== undefined && isOrcpt(orcpt, smtputf8);
  const request: Draft<RecipientRequest> = { mailbox };
  if (notify !== undefined) request.notify = notify;
  if (isClear) request.orcpt = canonicalXtext(orcpt);
  return withDropped(request, orcpt === undefined || isClear ? [] : [`ORCPT=${orcpt}`]);
}

/** The relay writes this value in its own commands and reports, where RFC 3461 4 requires capital hex digits. */
function canonicalXtext(value: string): string {
  return value.replaceAll(/\+[0-9A-Fa-f]{2}/g, (octet) => octet.toUpperCase());
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

/** Allows characters beyond ASCII only in an ORCPT of type utf-8, if the client declared SMTPUTF8 (RFC 6533 3). */
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
  keyword: "FROM" | "TO",
  argument: string,
): Parsed<{ text: string; parameters: ReadonlyMap<string, string> }> {
  const [start, found] = KEYWORD.exec(argument) ?? [];
  const rest = found?.toUpperCase() === keyword ? argument.slice(start?.length) : "";
  const match = PATH_AND_PARAMETERS.exec(rest) ?? BARE_PATH_AND_PARAMETERS.exec(rest);
  if (match === null) return refused(501, "5.4", `Syntax: ${keyword}:<address>`);
  const parameters = new Map<string, string>();
  for (const word of (match[2] ?? "").split(/[ \t]+/)) {
    if (word === "") continue;
    const equals = word.indexOf("=");
    const name = (equals < 0 ? word : word.slice(0, equals)).toUpperCase();
    const isEmpty = equals === word.length - 1 && name !== "ENVID";
    if (!/^[A-Z0-9][A-Z0-9-]*$/.test(name) || isEmpty) {
      return refused(501, "5.4", "Bad parameter syntax");
    }
    if (parameters.has(name)) return refused(501, "5.4", `${name} is given twice`);
    parameters.set(name, equals < 0 ? "" : word.slice(equals + 1));
  }
  return { ok: { text: withoutBlanksBehind(match[1] ?? ""), parameters } };
}

function withoutBlanksBehind(text: string): string {
  let end = text.length;
  while (text[end - 1] === " " || text[end - 1] === "\t") end--;
  return text.slice(0, end);
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });
const TAB = 9;

/**
 * Returns the command without its CRLF. Undefined for a bare CR or LF, a control character other than a tab, or invalid
 * UTF-8.
 */
export function decodeLine(line: Buffer): string | undefined {
  const end = line.length - 2;
  if (end < 0 || line[end] !== 13) return undefined;
  let ascii = true;
  for (let i = 0; i < end; i++) {
    const byte = line[i] ?? 0;
    if ((byte < 32 && byte !== TAB) || byte === 127) return undefined;
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
 * Returns the client's name at HELO or EHLO (RFC 5321 4.1.1.1): a host name or an address literal. Undefined for
 * anything else, which could break a Received header. An address without brackets, or without "IPv6:" in them, is
 * accepted because honest clients write it. A zone id ("fe80::1%eth0") is valid only on the client's machine, and is
 * left out.
 */
export function heloName(argument: string): string | undefined {
  if (argument.length > 255) return undefined;
  const name = argument.replace(ZONE, "");
  const [, literal] = /^\[(?:IPv6:)?([^\]]+)\]$/i.exec(name) ?? [];
  const isName = literal === undefined && HELO_NAME.test(name);
  return isName || parseAddress(literal ?? name) !== undefined ? name : undefined;
}

/** Labels of letters, digits, "-" and "_", with at least one letter or digit in the name. */
const HELO_NAME = /^(?=.*[A-Za-z0-9])[\w-]+(?:\.[\w-]+)*\.?$/;
/** A zone id after an IPv6 address (RFC 6874 2). */
const ZONE = /(?<=:[0-9a-f:]*)%[\w.~%-]+(?=\]?$)/i;
