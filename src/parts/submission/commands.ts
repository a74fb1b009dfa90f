// What a line of the client becomes before smtp-server sees it: a request of ours and a line without its addresses, or
// a reply at once. The syntax is that of port 25.
//
// Invariant: smtp-server gets a number in place of each address, because it refuses quoted local parts, merges
// addresses that differ in case, and mangles what is not ASCII.

import type { RecipientRequest } from "../../mail/envelope.ts";
import { status, type Status } from "../../mail/status.ts";
import { decodeLine, heloName, parseMail, parseRcpt } from "../../smtp/server/command.ts";
import type { MailRequest } from "../../smtp/server/reception.ts";

export interface SafeCommand {
  readonly verb: string;
  /** The line for smtp-server. */
  readonly line: string;
  readonly helo?: string;
  readonly mail?: MailRequest;
  readonly recipient?: RecipientRequest;
  /** Parameters that cannot be decoded and were left out. */
  readonly dropped?: readonly string[];
}

export interface CommandContext {
  /** MAIL asked for SMTPUTF8. */
  readonly smtputf8: boolean;
  readonly postmasterDomain: string | undefined;
  /** A number that no other address of the session has. */
  readonly serial: number;
}

const SYNTAX = status(500, "5.2", "Bad command line");
const BAD_NAME = status(501, "5.4", "Say who you are: a host name");
const NO_REQUIRETLS = status(555, "5.4", "REQUIRETLS is not offered");

/** `octets` is the line with its CRLF. */
export function safeCommand(octets: Buffer, context: CommandContext): SafeCommand | Status {
  const line = decodeLine(octets);
  if (line === undefined) return SYNTAX;
  const blank = line.search(/[ \t]/);
  const verb = (blank < 0 ? line : line.slice(0, blank)).toUpperCase();
  const argument = blank < 0 ? "" : line.slice(blank + 1);
  switch (verb) {
    case "EHLO":
    case "HELO": {
      const helo = heloName(argument.trim());
      return helo === undefined ? BAD_NAME : { verb, line: `${verb} ${helo}`, helo };
    }
    case "MAIL": {
      const parsed = parseMail(argument);
      if ("refused" in parsed) return parsed.refused;
      if (parsed.ok.requireTls === true) return NO_REQUIRETLS;
      const sender = `MAIL FROM:<${context.serial}@submission.invalid>`;
      return { verb, line: sender, mail: parsed.ok, dropped: parsed.dropped ?? [] };
    }
    case "RCPT": {
      const parsed = parseRcpt(argument, context.smtputf8, context.postmasterDomain);
      if ("refused" in parsed) return parsed.refused;
      const recipient = `RCPT TO:<${context.serial}@submission.invalid>`;
      return { verb, line: recipient, recipient: parsed.ok, dropped: parsed.dropped ?? [] };
    }
    case "AUTH":
    case "VRFY":
      return { verb, line: `${verb} ${argument.trim()}`.trimEnd() };
    case "DATA":
    case "RSET":
    case "NOOP":
    case "QUIT":
    case "STARTTLS":
      return { verb, line: verb };
    default:
      // smtp-server does not know it either, and counts it.
      return { verb, line: "UNKNOWN" };
  }
}
