// One small parser for every mailbox: from the wire, from an alias file, from the command line (RFC 5321 4.1.2, RFC
// 6531 3.3). The gate, the routers, the log and the next host see only what it returns.
//
// Invariant: an address has one reading. A text that could be read in two ways is invalid here: source routes, percent
// tricks hidden in an unquoted "@", a dot at the end of a domain, domains that IDNA maps to something else.
//
// The parser is more lenient than the grammar of RFC 5321 4.1.2, which is for software that creates addresses.
// Addresses with dots anywhere in the local part exist, and only their host says what a local part means (2.3.11). Such
// an address passes unchanged.

import { isIPv4, isIPv6 } from "node:net";
import { domainToASCII, domainToUnicode } from "node:url";
import type { Mailbox } from "./envelope.ts";

/** RFC 5321 4.5.3.1.3: a path is at most 256 octets, including its two angle brackets. */
const ADDRESS_OCTETS_MAX = 254;

/** Characters of an unquoted local part. Above ASCII, C1 controls are excluded (RFC 6531 3.3). */
const UNQUOTED = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-\u00a0-\u{10FFFF}]+$/u;
const QUOTED_STRING = /^"(?:[ !#-[\]-~\u00a0-\u{10FFFF}]|\\[ -~])*"$/u;
/**
 * Letters, digits, hyphen. An underscore, or a hyphen at the end, is invalid in host names but occurs in real
 * reverse-paths. An A-label with a hyphen at its end is another spelling of plain ASCII, and refused.
 */
const LABEL = /^(?!xn--.*-$)[a-z0-9_][a-z0-9_-]{0,62}$/;
const NON_ASCII = /\P{ASCII}/u;
const LONE_SURROGATE_OR_REPLACEMENT = /\p{Surrogate}|\uFFFD/u;

/** Returns the mailbox, or undefined for a text that is not exactly one valid mailbox. Never throws. */
export function parseMailbox(text: string): Mailbox | undefined {
  if (Buffer.byteLength(text) > ADDRESS_OCTETS_MAX) return undefined;
  // A domain has no "@". Everything before the last one is the local part, which must be quoted if it has another.
  const at = text.lastIndexOf("@");
  if (at < 1) return undefined;
  const localPart = parseLocalPart(text.slice(0, at));
  const domain = parseDomain(text.slice(at + 1));
  if (localPart === undefined || domain === undefined) return undefined;
  return { address: text, localPart, domain };
}

function parseLocalPart(text: string): string | undefined {
  if (LONE_SURROGATE_OR_REPLACEMENT.test(text)) return undefined;
  if (UNQUOTED.test(text)) return text;
  if (!QUOTED_STRING.test(text)) return undefined;
  return text.slice(1, -1).replaceAll(/\\(.)/gu, "$1");
}

/** Canonical domain: lower case, A-labels. An address literal keeps its brackets. Undefined for an invalid domain. */
export function parseDomain(text: string): string | undefined {
  if (text.startsWith("[")) return parseAddressLiteral(text);
  if (text.length === 0 || text.length > 253) return undefined;
  const lower = text.toLowerCase();
  const ascii = NON_ASCII.test(text) || lower.includes("xn--") ? idnaDomain(text, lower) : lower;
  if (ascii === undefined || ascii.length > 253) return undefined;
  const labels = ascii.split(".");
  if (!labels.every((label) => LABEL.test(label))) return undefined;
  // 192.0.2.1 without brackets is invalid (RFC 3696 2: a top-level label is never all digits).
  return /^\d+$/.test(labels.at(-1) ?? "") ? undefined : ascii;
}

/** The domain as A-labels. Undefined if IDNA refuses the name or maps it to another one, as with a look-alike dot. */
function idnaDomain(text: string, lower: string): string | undefined {
  // RFC 5890 2.3.2.1: a U-label is in NFC. A label in another form may be plain ASCII in disguise, like the Kelvin
  // sign.
  if (LONE_SURROGATE_OR_REPLACEMENT.test(text) || text.normalize("NFC") !== text) return undefined;
  const ascii = domainToASCII(lower);
  if (ascii === "") return undefined;
  const same = NON_ASCII.test(text) ? domainToUnicode(ascii) === lower : ascii === lower;
  return same ? ascii : undefined;
}

function parseAddressLiteral(text: string): string | undefined {
  const match = /^\[(?:(IPv6:)([0-9a-f:.]+)|([0-9.]+))\]$/i.exec(text);
  if (match === null) return undefined;
  const [, , v6, v4] = match;
  if (v6 !== undefined) return isIPv6(v6) ? `[IPv6:${v6.toLowerCase()}]` : undefined;
  return v4 !== undefined && isIPv4(v4) ? text : undefined;
}

/**
 * The form in which addresses are compared: without quotes, with the domain in canonical form. The case of the local
 * part counts, because only its host may ignore it (RFC 5321 2.4).
 */
export function canonicalAddressOf({
  localPart,
  domain,
}: Pick<Mailbox, "localPart" | "domain">): string {
  return `${localPart}@${domain}`;
}

/** `<a@b>`, or `<>` for the null reverse-path (RFC 5321 4.5.5). */
export function pathText(mailbox: Mailbox | null): string {
  return mailbox === null ? "<>" : `<${mailbox.address}>`;
}

/** True when the address can only be sent with SMTPUTF8 (RFC 6531). */
export function needsSmtpUtf8(mailbox: Mailbox | null): boolean {
  return mailbox !== null && NON_ASCII.test(mailbox.address);
}
