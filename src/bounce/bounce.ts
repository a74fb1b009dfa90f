// Reports to the sender: bounces, warnings, "passed on" and "delivered", as multipart/report (RFC 6522, RFC 3464).
//
// Invariant: whatever a peer or a sender wrote, the report holds CRLF line ends, ASCII unless the message itself was
// internationalized (RFC 6533), no control byte, and no header field of anybody else's making. The same request gives
// the same report. src/bounce/ holds its parts and the rules who gets one; src/outbox/ composes it.
//
// Doors: original.ts, wanted.ts.

import type { ReportRequest } from "./report-request.ts";
import { deliveryStatus } from "./delivery-status.ts";
import { reportLetter } from "./letter.ts";
import { headerValue, type Original, readHeader, readOriginal } from "./original.ts";
import { asciiLine, isAscii, oneLine } from "../mail/text.ts";
import type { Draft, DraftPart } from "../mail/draft.ts";
import type { ReportKind } from "./wanted.ts";
import type { Mailbox } from "../mail/envelope.ts";

export type { ReportedRecipient, ReportRequest } from "./report-request.ts";
export { type ReportKind, wantsReport, wantsWarning } from "./wanted.ts";

/**
 * The report to the sender of the envelope, to be composed. Throws when that is the null sender, which must have been
 * asked before (`wantsReport`), and when the body cannot be read.
 */
export async function reportDraft(request: ReportRequest): Promise<Draft> {
  const { envelope, body, kind, hostname } = request;
  const { sender } = envelope;
  if (sender === null) throw new Error("a null sender gets no report");
  // RET speaks of failures only (RFC 3461 4.3).
  const mayReturnAll = kind === "failed" && envelope.ret !== "HDRS";
  const original = mayReturnAll
    ? await readOriginal(body, request.returnSizeLimit)
    : { content: await readHeader(body), isWhole: false };
  const messageId = headerValue(original.content, "message-id") ?? "";
  return {
    from: { name: "Mail Delivery System", address: `MAILER-DAEMON@${hostname}` },
    to: sender,
    subject: SUBJECT[kind],
    ...(/^<[\x21-\x7e]{1,500}>$/.test(messageId) ? { inReplyTo: messageId } : {}),
    fields: { "Auto-Submitted": "auto-replied", ...failedRecipients(request, sender) },
    content: { reportType: "delivery-status", parts: partsOf(request, original) },
  };
}

const SUBJECT: Readonly<Record<ReportKind, string>> = {
  failed: "Mail delivery failed: your message could not be delivered",
  delayed: "Mail delivery delayed: there is no need to send it again",
  relayed: "Mail delivery: your message was passed on",
  delivered: "Mail delivery: your message was delivered",
};

/** Addresses in X-Failed-Recipients: a header that grows too large is cut or refused on its way. */
const MOST_IN_HEADER = 100;

function failedRecipients(
  { kind, recipients }: ReportRequest,
  sender: Mailbox,
): Readonly<Record<string, string>> {
  if (kind !== "failed") return {};
  const failed = recipients
    .map(({ mailbox }) => oneLine(mailbox.address))
    // One address that needs SMTPUTF8 must not keep the report from a sender who does not.
    .filter((address) => isAscii(address) || !isAscii(sender.address))
    .slice(0, MOST_IN_HEADER);
  return failed.length === 0 ? {} : { "X-Failed-Recipients": failed.join(", ") };
}

function partsOf(request: ReportRequest, original: Original): DraftPart[] {
  const isInternational = request.envelope.smtputf8;
  const clean = isInternational ? oneLine : asciiLine;
  const status = deliveryStatus(request, clean);
  return [
    { kind: "text", description: "Notification", text: reportLetter(request, original, clean) },
    {
      kind: "verbatim",
      type: isAscii(status) ? "message/delivery-status" : "message/global-delivery-status",
      description: "Delivery report",
      content: Buffer.from(status),
    },
    {
      kind: "verbatim",
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
