// The first part of a report, for people: what happened to which recipients, what the sender can do, and then the
// reply of the other host. It has plain words before the reply, and no jargon.
// Invariant: its length is bounded for any number of recipients; the part for programs names them all.

import type { ReportedRecipient, ReportRequest } from "./report-request.ts";
import { placeText } from "../mail/place.ts";
import { isTemporary, saidLine } from "../mail/status.ts";
import { hostText, saidText } from "./delivery-status.ts";
import { headerValue, type Original } from "./original.ts";
import { reasonFor } from "./reason.ts";
import { type Cleaner, letterDate, wrapText } from "../mail/text.ts";

/** Recipients that the letter names. */
const MOST_NAMED = 50;

export function reportLetter(request: ReportRequest, original: Original, clean: Cleaner): string {
  const named = request.recipients.slice(0, MOST_NAMED);
  const others = request.recipients.length - named.length;
  const more = `${others} more; all of them are listed in the details for mail programs.`;
  const paragraphs = [
    `This is the mail system at ${request.hostname}.`,
    wrapText(whatHappened(request, original, clean)),
    ...alike(named).map((recipients) => aboutRecipients(recipients, request, clean)),
    ...(others > 0 ? [wrapText(`... and ${more}`, "  ")] : []),
    wrapText(whatNext(request)),
    wrapText(whatFollows(request, original)),
  ];
  return `${paragraphs.join("\r\n\r\n")}\r\n`;
}

function whatHappened(
  { envelope, kind }: ReportRequest,
  original: Original,
  clean: Cleaner,
): string {
  const subject = clean(headerValue(original.content, "subject") ?? "");
  // A person cannot read an encoded word (RFC 2047).
  const about = subject === "" || subject.includes("=?") ? "" : ` "${subject.slice(0, 100)}"`;
  const message = `Your message${about} of ${letterDate(envelope.receivedAt)}`;
  switch (kind) {
    case "failed":
      return `${message} could not be delivered to:`;
    case "delayed":
      return `${message} has not been delivered yet to:`;
    case "relayed":
      return `${message} was passed on to the mail system of:`;
    case "delivered":
      return `${message} was delivered to:`;
  }
}

type Alike = readonly [ReportedRecipient, ...ReportedRecipient[]];

/** Groups recipients with the same answer of the same host, in the order of the first of each group. */
function alike(recipients: readonly ReportedRecipient[]): readonly Alike[] {
  const groups = new Map<string, [ReportedRecipient, ...ReportedRecipient[]]>();
  for (const recipient of recipients) {
    const { place, status } = recipient;
    const key = `${place && placeText(place)}\n${saidLine(status)}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [recipient]);
    else group.push(recipient);
  }
  return [...groups.values()];
}

function aboutRecipients(recipients: Alike, request: ReportRequest, clean: Cleaner): string {
  const [{ status, place }] = recipients;
  const paragraphs = [recipients.map((recipient) => nameOf(recipient, clean)).join("\r\n")];
  const explanation = explain(recipients, request);
  if (explanation !== "") paragraphs.push(wrapText(explanation, "    "));
  const reply = saidText(status, place, clean);
  if (status.remote === true) {
    const speaker = clean(hostText(place) ?? "their mail system");
    paragraphs.push(
      `${wrapText(`The answer of ${speaker} was:`, "    ")}\r\n${wrapText(reply, "      ")}`,
    );
  } else if (request.kind !== "delivered") {
    paragraphs.push(`    In technical terms:\r\n${wrapText(reply, "      ")}`);
  }
  return paragraphs.join("\r\n\r\n");
}

function nameOf({ mailbox, original }: ReportedRecipient, clean: Cleaner): string {
  const name = wrapText(clean(mailbox.address), "  ");
  return original.address === mailbox.address
    ? name
    : `${name}\r\n${wrapText(`(you wrote to ${clean(original.address)})`, "    ")}`;
}

function explain([{ status }]: Alike, { kind, envelope, now }: ReportRequest): string {
  if (kind !== "failed" && kind !== "delayed") return "";
  const { happened, advice } = reasonFor(status);
  if (kind === "delayed") return happened;
  const tried = isTemporary(status) ? triedFor(now - envelope.receivedAt) : "";
  return `${happened}${tried} ${advice}`;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The time as text, in the largest unit that gives at least 2. */
function triedFor(milliseconds: number): string {
  const [length, unit] =
    milliseconds >= 2 * DAY
      ? [DAY, "days"]
      : milliseconds >= 2 * HOUR
        ? [HOUR, "hours"]
        : [MINUTE, "minutes"];
  const count = Math.floor(milliseconds / length);
  return count < 2 ? "" : ` We tried for ${count} ${unit}.`;
}

function whatNext({ kind, recipients }: ReportRequest): string {
  switch (kind) {
    case "failed":
      return "No further attempt will be made.";
    case "delayed": {
      const until = Math.max(...recipients.map(({ retryUntil = 0 }) => retryUntil));
      return (
        "You need not send it again: more attempts follow" +
        (until === 0 ? ". " : `, until ${letterDate(until)} at the latest. `) +
        "You will hear from us if they fail too."
      );
    }
    case "relayed":
      return (
        "That system does not tell us when it has delivered, so this is the last that you hear of it from us, " +
        "unless it returns the message."
      );
    case "delivered":
      return "You receive this because you asked to be told. It does not mean that anybody has read the message.";
  }
}

function whatFollows(
  { envelope, kind, body, returnSizeLimit }: ReportRequest,
  original: Original,
): string {
  const details = "The details for mail programs follow";
  if (original.isWhole) return `${details}, and then your message.`;
  if (kind !== "failed" || envelope.ret === "HDRS")
    return `${details}, and then the header of your message.`;
  const why =
    body.size > returnSizeLimit
      ? `as a whole it is larger than the ${inUnits(returnSizeLimit)} that we send back`
      : "the rest of it holds bytes that must not be in a mail";
  return `${details}, and then only the header of your message: ${why}.`;
}

function inUnits(bytes: number): string {
  const kibibytes = Math.floor(bytes / 1024);
  return kibibytes === 0 ? `${bytes} bytes` : `${kibibytes} KB`;
}
