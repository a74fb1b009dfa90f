// An event as the history stores it: complete in most cases, but without the end of lists and texts that are too long.

import type { EventName, Events } from "../events.ts";

/** Octets of the list of recipients, and octets of each text. */
const LIST_MAX = 4096;
const TEXT_MAX = 1024;
/** Octets. A shorter event is stored unchanged. */
const EVENT_MAX = 6144;

/** Appears in the text of an event whose recipients are not all listed. */
export const MORE = '"more_recipients":';

/** `[at,"name",{fields}]`. */
export function eventText(at: number, name: EventName, fields: Events[EventName]): string {
  const text = JSON.stringify([at, name, withFewRecipients(fields)]);
  return text.length <= EVENT_MAX ? text : JSON.stringify(JSON.parse(text), shortText);
}

function withFewRecipients(fields: Events[EventName]): object {
  if ("ids" in fields) return { action: fields.action };
  if (!("recipients" in fields) || !Array.isArray(fields.recipients)) return fields;
  const recipients: readonly string[] = fields.recipients;
  let octets = 0;
  const cut = recipients.findIndex((recipient) => (octets += recipient.length + 3) > LIST_MAX);
  if (cut === -1) return fields;
  return {
    ...fields,
    recipients: recipients.slice(0, cut),
    more_recipients: recipients.length - cut,
  };
}

function shortText(_: string, value: unknown): unknown {
  return typeof value === "string" && value.length > TEXT_MAX
    ? `${value.slice(0, TEXT_MAX)}…`
    : value;
}
