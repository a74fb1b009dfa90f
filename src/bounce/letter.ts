// The part of a report that is for people, and comes first: what happened to whom, what the other side said,
// what one can do. Plain words, no jargon before the reply itself.

import type { ReportedRecipient, ReportRequest } from "../bounce.ts";
import { isTemporary, type Status } from "../status.ts";
import { said } from "./delivery-status.ts";
import { headerValue, type Original } from "./original.ts";
import { type Cleaner, mailDate, wrap } from "./text.ts";

export function letter(request: ReportRequest, original: Original, clean: Cleaner): string {
  const paragraphs = [
    `This is the mail system at ${request.hostname}.`,
    wrap(whatHappened(request, original, clean)),
    ...request.recipients.map((recipient) => aboutRecipient(recipient, request, clean)),
    wrap(whatNext(request)),
    wrap(whatFollows(request, original)),
  ];
  return `${paragraphs.join("\r\n\r\n")}\r\n`;
}

function whatHappened(request: ReportRequest, original: Original, clean: Cleaner): string {
  const subject = clean(headerValue(original.content, "subject") ?? "");
  // An encoded word (RFC 2047) would say nothing to a person.
  const about = subject === "" || subject.includes("=?") ? "" : ` "${subject.slice(0, 100)}"`;
  const message = `Your message${about} of ${mailDate(request.envelope.receivedAt)}`;
  switch (request.kind) {
    case "failed":
      return `${message} could not be delivered to:`;
    case "delayed":
      return `${message} has not been delivered yet to:`;
    case "relayed":
      return `${message} was passed on to the mail system of:`;
  }
}

function aboutRecipient(
  { mailbox, original, status, remoteMta }: ReportedRecipient,
  { kind, hostname }: ReportRequest,
  clean: Cleaner,
): string {
  const lines = [wrap(clean(mailbox.address), "  ")];
  if (original.address !== mailbox.address) {
    lines.push(wrap(`(you wrote to ${clean(original.address)})`, "  "));
  }
  const speaker = remoteMta === undefined || remoteMta.startsWith("/") ? hostname : remoteMta;
  lines.push(wrap(`${clean(speaker)} says:`, "    "), wrap(said(status, clean), "      "));
  if (kind === "failed") lines.push(wrap(advice(status), "    "));
  return lines.join("\r\n");
}

function whatNext({ kind, retryUntil }: ReportRequest): string {
  switch (kind) {
    case "failed":
      return "No further attempt will be made.";
    case "delayed":
      return (
        "You need not send it again: more attempts follow" +
        (retryUntil === undefined ? ". " : `, until ${mailDate(retryUntil)}. `) +
        "You will hear from us if they fail too."
      );
    case "relayed":
      return "That system does not tell us when it has delivered, so this is the last that you hear of it from us.";
  }
}

function whatFollows({ envelope, kind, returnSizeLimit }: ReportRequest, original: Original) {
  const details = "The details for mail programs follow";
  if (original.isWhole) return `${details}, and then your message.`;
  const isTooLarge = kind === "failed" && envelope.ret !== "HDRS";
  return isTooLarge
    ? `${details}, and then only the header of your message: it is larger than the ${returnSizeLimit} bytes that we send back.`
    : `${details}, and then the header of your message.`;
}

/** By the subject and detail of the enhanced code (RFC 3463 3); "7" stands for all of 7.x. */
const ADVICE: Readonly<Record<string, string>> = {
  "1.1": "There is no such mailbox. Please check how the address is spelt.",
  "1.2": "There is no such domain. Please check what stands after the @.",
  "1.10": "This domain takes no mail. Please check what stands after the @.",
  "2.1": "The mailbox is closed. Please try to reach its owner in another way.",
  "2.2": "The mailbox is full. Please try again later, or reach its owner in another way.",
  "2.3": "The message is too large for them. A smaller one may get through.",
  "3.4": "The message is too large for them. A smaller one may get through.",
  "4.6": "The message went round in a circle. The postmaster there has to mend this.",
  "7": "The receiving system refused the message by its own rules. Its postmaster can tell why.",
};

function advice(status: Status): string {
  if (isTemporary(status)) {
    return "We kept trying, as this answer asks, until the time for it was over. You may send the message again later.";
  }
  const [, subject = "", detail = ""] = status.enhanced.split(".");
  return (
    ADVICE[`${subject}.${detail}`] ??
    ADVICE[subject] ??
    "If the answer above does not help, the postmaster of that domain can."
  );
}
