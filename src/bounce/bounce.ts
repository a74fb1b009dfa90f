// Reports to the sender: bounces, warnings, "passed on" and "delivered", as multipart/report (RFC 6522, RFC 3464).
//
// Invariant: whatever a peer or a sender wrote, the report is well-formed: CRLF line ends, ASCII unless the
// message itself was internationalized (RFC 6533), no control byte, no header field of anybody else's making.
// The same request gives the same bytes. src/bounce/ holds its parts and the rules who gets one.

import type { ReportRequest } from "./report-request.ts";
import { deliveryStatus } from "./delivery-status.ts";
import { letter } from "./letter.ts";
import { headerValue, type Original, readHeader, readOriginal } from "./original.ts";
import { asciiLine, field, isAscii, mailDate, oneLine } from "../mail/text.ts";
import type { ReportKind } from "./wanted.ts";
import type { Mailbox } from "../mail/envelope.ts";

export type { ReportedRecipient, ReportRequest } from "./report-request.ts";
export { type ReportKind, wantsReport, wantsWarning } from "./wanted.ts";

export interface Report {
  readonly bytes: Buffer;
  /** It must be sent as 8BITMIME (RFC 6152). */
  readonly eightBit: boolean;
  /** It must be sent as SMTPUTF8 (RFC 6531). */
  readonly smtputf8: boolean;
}

interface Part {
  readonly type: string;
  readonly description: string;
  readonly content: Buffer;
}

/**
 * Composes a report to the sender of the envelope. Throws when that is the null sender, which must have been
 * asked before (`wantsReport`), and when the body cannot be read.
 */
export async function composeReport(request: ReportRequest): Promise<Report> {
  const { envelope, body, kind } = request;
  if (envelope.sender === null) throw new Error("a null sender gets no report");
  // RET speaks of failures only (RFC 3461 4.3).
  const mayReturnAll = kind === "failed" && envelope.ret !== "HDRS";
  const original = mayReturnAll
    ? await readOriginal(body, request.returnSizeLimit)
    : { content: await readHeader(body), isWhole: false };

  const parts = composeParts(request, original);
  const content = Buffer.concat(parts.map((part) => part.content));
  const eightBit = content.some((byte) => byte > 127);
  const boundary = unusedBoundary(`=_${request.id}`, content);
  const header = composeHeader(request, envelope.sender, original);
  const smtputf8 = !isAscii(header);
  const top =
    header +
    "MIME-Version: 1.0\r\n" +
    `Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="${boundary}"\r\n` +
    `Content-Transfer-Encoding: ${eightBit ? "8bit" : "7bit"}\r\n\r\n` +
    "This is a report in MIME format.\r\n";
  const bytes = Buffer.concat([
    Buffer.from(top),
    ...parts.flatMap((part) => [Buffer.from(partHead(part, boundary)), part.content]),
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ]);
  return { bytes, eightBit: eightBit || smtputf8, smtputf8 };
}

const SUBJECT: Readonly<Record<ReportKind, string>> = {
  failed: "Mail delivery failed: your message could not be delivered",
  delayed: "Mail delivery delayed: there is no need to send it again",
  relayed: "Mail delivery: your message was passed on",
  delivered: "Mail delivery: your message was delivered",
};

/** Addresses in X-Failed-Recipients: a header that grows too large is cut or refused on its way. */
const MOST_IN_HEADER = 100;

function composeHeader(request: ReportRequest, sender: Mailbox, original: Original): string {
  const { hostname, id, kind, now, recipients, envelope } = request;
  const to = envelope.smtputf8 ? oneLine(sender.address) : asciiLine(sender.address);
  const failed = recipients
    .map(({ mailbox }) => oneLine(mailbox.address))
    // One address that needs SMTPUTF8 must not keep the report from a sender who does not.
    .filter((address) => isAscii(address) || !isAscii(to))
    .slice(0, MOST_IN_HEADER);
  const messageId = headerValue(original.content, "message-id") ?? "";
  const isReference = /^<[\x21-\x7e]{1,500}>$/.test(messageId);
  return [
    field("From", `Mail Delivery System <MAILER-DAEMON@${hostname}>`),
    field("To", to),
    field("Subject", SUBJECT[kind]),
    field("Date", mailDate(now)),
    field("Message-ID", `<${id}@${hostname}>`),
    isReference ? field("In-Reply-To", messageId) + field("References", messageId) : "",
    field("Auto-Submitted", "auto-replied"),
    kind === "failed" && failed.length > 0 ? field("X-Failed-Recipients", failed.join(", ")) : "",
  ].join("");
}

function composeParts(request: ReportRequest, original: Original): Part[] {
  const isInternational = request.envelope.smtputf8;
  const clean = isInternational ? oneLine : asciiLine;
  const text = letter(request, original, clean);
  const status = deliveryStatus(request, clean);
  return [
    {
      type: `text/plain; charset=${isAscii(text) ? "us-ascii" : "utf-8"}`,
      description: "Notification",
      content: Buffer.from(text),
    },
    {
      type: isAscii(status) ? "message/delivery-status" : "message/global-delivery-status",
      description: "Delivery report",
      content: Buffer.from(status),
    },
    {
      type: originalType(original, isInternational),
      description: original.isWhole ? "Your message" : "Header of your message",
      content: original.content,
    },
  ];
}

function originalType({ content, isWhole }: Original, isInternational: boolean): string {
  const isGlobal = isInternational && content.some((byte) => byte > 127);
  if (isWhole) return isGlobal ? "message/global" : "message/rfc822";
  return isGlobal ? "message/global-headers" : "text/rfc822-headers";
}

function partHead({ type, description, content }: Part, boundary: string): string {
  const encoding = content.some((byte) => byte > 127) ? "8bit" : "7bit";
  return (
    `\r\n--${boundary}\r\n` +
    `Content-Type: ${type}\r\n` +
    `Content-Description: ${description}\r\n` +
    `Content-Transfer-Encoding: ${encoding}\r\n\r\n`
  );
}

/** A message may quote the boundary of its own bounce. */
function unusedBoundary(base: string, content: Buffer): string {
  let boundary = base;
  for (let count = 1; content.includes(boundary); count++) boundary = `${base}_${count}`;
  return boundary;
}
