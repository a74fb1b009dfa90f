// Reports to the sender: bounces, warnings, "passed on" and "delivered", as multipart/report (RFC 6522, RFC 3464).
// Invariants: whatever a peer or a sender wrote, the report has CRLF line ends and no control byte. It is ASCII unless
// the message itself was internationalized (RFC 6533). No text of a stranger adds a header field. The same request gives
// the same report. src/bounce/ has the parts of a report and the rules for its recipients; src/outbox/ composes it.
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
 * The draft of a report to the sender of the envelope. Throws if the sender is null (call `wantsReport` before), or if
 * the body cannot be read.
 */
export async function reportDraft(request: ReportRequest): Promise<Draft> {
  const { envelope, body, kind, hostname } = request;
  const { sender } = envelope;
  if (sender === null) throw new Error("a null sender gets no report");
  // RET applies only to failures (RFC 3461 4.3).
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

/** Addresses in X-Failed-Recipients: other servers cut or refuse a header that is too large. */
const MOST_IN_HEADER = 100;

function failedRecipients(
  { kind, recipients }: ReportRequest,
  sender: Mailbox,
): Readonly<Record<string, string>> {
  if (kind !== "failed") return {};
  const failed = recipients
    .map(({ mailbox }) => oneLine(mailbox.address))
    // If the sender's address needs no SMTPUTF8, a recipient's address must not make the report need it.
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
