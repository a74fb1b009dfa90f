// The part of a report for machines: message/delivery-status (RFC 3464 2), field by field; in an
// internationalized report message/global-delivery-status (RFC 6533 4). Invariant: only a remote server's own
// words have the diagnostic type SMTP; the relay's own reasons have the type X-Unseen.

import type { Mailbox } from "../mail/envelope.ts";
import { type Place, placeText } from "../mail/place.ts";
import { type Status, saidLine } from "../mail/status.ts";
import type { ReportedRecipient, ReportRequest } from "./report-request.ts";
import { type Cleaner, foldedField, isAscii, mailDate } from "../mail/text.ts";
import { asciiAddress, decodeXtext, unicodeAddress } from "../smtp/wire/xtext.ts";

export function deliveryStatus(request: ReportRequest, clean: Cleaner): string {
  const { hostname, envelope, recipients } = request;
  const message = [
    foldedField("Reporting-MTA", `dns; ${hostname}`),
    envelope.envid === undefined
      ? ""
      : foldedField("Original-Envelope-Id", clean(decodeXtext(envelope.envid))),
    foldedField("Arrival-Date", mailDate(envelope.receivedAt)),
  ].join("");
  return [message, ...recipients.map((it) => recipientFields(it, request, clean))].join("\r\n");
}

function recipientFields(
  recipient: ReportedRecipient,
  { kind, envelope }: ReportRequest,
  clean: Cleaner,
): string {
  const { orcpt, mailbox, status, place, lastAttemptAt, retryUntil } = recipient;
  const international = envelope.smtputf8;
  const isRemote = status.remote === true;
  const host = isRemote ? hostName(place) : undefined;
  return [
    orcpt === undefined
      ? ""
      : foldedField("Original-Recipient", clean(givenAddress(orcpt, international))),
    foldedField("Final-Recipient", clean(finalAddress(mailbox, international))),
    foldedField("Action", kind),
    foldedField("Status", enhancedCode(status)),
    host === undefined ? "" : foldedField("Remote-MTA", `dns; ${host}`),
    foldedField(
      "Diagnostic-Code",
      `${isRemote ? "smtp" : "X-Unseen"}; ${saidText(status, place, clean)}`,
    ),
    lastAttemptAt === undefined ? "" : foldedField("Last-Attempt-Date", mailDate(lastAttemptAt)),
    kind === "delayed" && retryUntil !== undefined
      ? foldedField("Will-Retry-Until", mailDate(retryUntil))
      : "",
  ].join("");
}

/** The decoded ORCPT: RFC 6533 3 has its own encoding for the type utf-8; all other types are xtext. */
function givenAddress(orcpt: string, international: boolean): string {
  const [type = "", ...rest] = orcpt.split(";");
  const address = rest.join(";");
  if (type.toLowerCase() !== "utf-8") return `${type}; ${decodeXtext(address)}`;
  const plain = unicodeAddress(address);
  return `${type}; ${international ? plain : asciiAddress(plain)}`;
}

function finalAddress({ address }: Mailbox, international: boolean): string {
  if (isAscii(address)) return `rfc822; ${address}`;
  return `utf-8; ${international ? address : asciiAddress(address)}`;
}

/** The code in the only form that RFC 3464 2.3.4 allows: codes of peers may have others. */
function enhancedCode({ code, enhanced }: Status): string {
  return /^[245]\.\d{1,3}\.\d{1,3}$/.test(enhanced) ? enhanced : `${Math.trunc(code / 100)}.0.0`;
}

/** "mx.example.net [192.0.2.1]"; undefined for a path, which a report must not show. */
export function hostText(place: Place | undefined): string | undefined {
  return place === undefined || hostName(place) === undefined ? undefined : placeText(place);
}

/** The name of the host without its address. The name may come from a stranger's DNS. */
function hostName(place: Place | undefined): string | undefined {
  return place?.kind === "host" ? /^[\w.-]+|^\[[\w.:]+\]/.exec(place.name)?.[0] : undefined;
}

const LONGEST_REPLY = 1000;

/** The reply of the host, or the relay's own reason with the host's name; at most as long as a reply may be. */
export function saidText(status: Status, place: Place | undefined, clean: Cleaner): string {
  const host = status.remote === true ? undefined : hostText(place);
  const line = clean(saidLine(status) + (host === undefined ? "" : ` (${host})`));
  return line.length <= LONGEST_REPLY ? line : `${line.slice(0, LONGEST_REPLY)} [...]`;
}
