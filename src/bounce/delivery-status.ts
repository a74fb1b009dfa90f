// The part of a report that is for machines: message/delivery-status (RFC 3464 2), field by field.

import type { Mailbox } from "../envelope.ts";
import { type Status, statusLine } from "../status.ts";
import type { ReportedRecipient, ReportRequest } from "../bounce.ts";
import { type Cleaner, decodeXtext, field, isAscii, mailDate } from "./text.ts";

export function deliveryStatus(request: ReportRequest, clean: Cleaner): string {
  const { hostname, envelope, recipients } = request;
  const message = [
    field("Reporting-MTA", `dns; ${hostname}`),
    envelope.envid === undefined
      ? ""
      : field("Original-Envelope-Id", clean(decodeXtext(envelope.envid))),
    field("Arrival-Date", mailDate(envelope.receivedAt)),
  ].join("");
  return [message, ...recipients.map((it) => recipientFields(it, request, clean))].join("\r\n");
}

function recipientFields(
  recipient: ReportedRecipient,
  { kind, now, retryUntil }: ReportRequest,
  clean: Cleaner,
): string {
  const { orcpt, mailbox, status, remoteMta, lastAttemptAt = now } = recipient;
  const host = remoteHost(remoteMta);
  return [
    orcpt === undefined ? "" : field("Original-Recipient", clean(originalRecipient(orcpt))),
    field("Final-Recipient", finalRecipient(mailbox, clean)),
    field("Action", kind),
    field("Status", enhancedCode(status)),
    host === undefined ? "" : field("Remote-MTA", `dns; ${host}`),
    field("Diagnostic-Code", `${host === undefined ? "X-Unseen" : "smtp"}; ${said(status, clean)}`),
    field("Last-Attempt-Date", mailDate(lastAttemptAt)),
    kind === "delayed" && retryUntil !== undefined
      ? field("Will-Retry-Until", mailDate(retryUntil))
      : "",
  ].join("");
}

/** RFC 6533 3 has an encoding of its own for the type utf-8, which may stand as it is. */
function originalRecipient(orcpt: string): string {
  const [type = "", ...rest] = orcpt.split(";");
  const address = rest.join(";");
  return `${type}; ${type.toLowerCase() === "utf-8" ? address : decodeXtext(address)}`;
}

function finalRecipient(mailbox: Mailbox, clean: Cleaner): string {
  const address = clean(mailbox.address);
  return `${isAscii(address) ? "rfc822" : "utf-8"}; ${address}`;
}

/** Codes come from peers too, and RFC 3464 2.3.4 knows one form only. */
function enhancedCode({ code, enhanced }: Status): string {
  return /^[245]\.\d{1,3}\.\d{1,3}$/.test(enhanced) ? enhanced : `${Math.trunc(code / 100)}.0.0`;
}

/** The name in "mx.example.net [192.0.2.1]"; a path is nobody's business. */
function remoteHost(remoteMta: string | undefined): string | undefined {
  return /^[\w.-]+|^\[[\w.:]+\]/.exec(remoteMta ?? "")?.[0];
}

const LONGEST_REPLY = 1000;

/** The reply, cut where it stops being one. */
export function said(status: Status, clean: Cleaner): string {
  const line = clean(statusLine(status));
  return line.length <= LONGEST_REPLY ? line : `${line.slice(0, LONGEST_REPLY)} [...]`;
}
