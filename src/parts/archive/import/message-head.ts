// What an import learns from the header section of a message: when it was delivered, the labels that Google Takeout has
// put there, and the octets by which the same message is found again.
//
// The same message lies in a mailbox and in the archive with different lines on top. Those are left out of the comparison,
// and nothing else: the delivery headers of a copy; X-GM-THRID and X-Gmail-Labels of Takeout; and the fields that hosts
// put above the Received line of our own relay, if all of them are fields of hosts. What a person has written is always
// compared.

import {
  DELIVERY_HEADERS_OCTETS,
  readDeliveryHeaders,
} from "../../../maildir/read-delivery-headers.ts";

/** Octets that are looked at. */
export const HEAD_MAX = DELIVERY_HEADERS_OCTETS + 256 * 1024;

const FIELDS_MAX = 2000;
const TAKEOUT = new Set(["x-gm-thrid", "x-gm-msgid", "x-gmail-labels"]);
/** Fields that hosts add on top of a message on its way, and that say nothing but its way. */
const TRACE =
  /^(?:received|x-received|return-path|delivered-to|x-forwarded-(?:to|for|encrypted)|x-gm-(?:thrid|msgid|message-state)|x-gmail-labels|x-google-[a-z-]+|arc-[a-z-]+|received-spf|authentication-results)$/;

interface Field {
  /** In lower case. */
  readonly name: string;
  readonly start: number;
  /** Unfolded, one character for each octet. */
  readonly value: string;
}

export interface MessageHead {
  /** The newest time of a Received field, or else that of Date, in ms since the epoch. */
  readonly time: number | undefined;
  /** The value of X-Gmail-Labels. */
  readonly labels: string | undefined;
  /** Where the content begins in each of the spellings of the message, from the top down. At least one. */
  readonly starts: readonly [number, ...number[]];
}

/** `head` is the begin of the message with LF line ends. `ownHosts` are names of our relay, in lower case. */
export function readMessageHead(head: Buffer, ownHosts: ReadonlySet<string>): MessageHead {
  const { length: start, deliveryDate } = readDeliveryHeaders(head);
  const fields = [...fieldsOf(head.toString("latin1", start, HEAD_MAX), start)];
  const times = ["received", "date"].flatMap((name) =>
    fields.filter((field) => field.name === name).map(timeOf),
  );
  return {
    time: deliveryDate ?? times.find((time) => time !== undefined),
    labels: fields.find(({ name }) => name === "x-gmail-labels")?.value,
    starts: [start, ...belowTakeout(fields), ...belowTrace(fields, ownHosts)],
  };
}

function* fieldsOf(text: string, offset: number): Generator<Field> {
  let count = 0;
  for (let start = 0; start < text.length && count < FIELDS_MAX; count++) {
    let end = start;
    do {
      const line = text.indexOf("\n", end);
      end = line === -1 ? text.length : line + 1;
    } while (text[end] === " " || text[end] === "\t");
    const raw = text.slice(start, end);
    const name = /^([!-9;-~]+)[ \t]*:/.exec(raw)?.[1]?.toLowerCase();
    if (name === undefined) return;
    const value = raw.slice(raw.indexOf(":") + 1).replaceAll(/\r?\n/g, "");
    yield { name, start: offset + start, value: value.trim() };
    start = end;
  }
}

/** The date of a Received field stands behind its last semicolon (RFC 5321 4.4). */
function timeOf({ name, value }: Field): number | undefined {
  const text = name === "received" ? value.slice(value.lastIndexOf(";") + 1) : value;
  const time = Date.parse(text.slice(0, 100).replaceAll(/\([^()]*\)/g, " "));
  return time > 0 ? time : undefined;
}

function belowTakeout(fields: readonly Field[]): number[] {
  const first = fields.findIndex(({ name }) => !TAKEOUT.has(name));
  const field = fields[first];
  return first > 0 && field !== undefined ? [field.start] : [];
}

/** The Received line that our relay has put on top of a message stands on top of its copy. */
function belowTrace(fields: readonly Field[], ownHosts: ReadonlySet<string>): number[] {
  const own = fields.findIndex(({ name, value }) => {
    const by = /\bby\s+([\w.-]+)/i.exec(value)?.[1]?.toLowerCase();
    return name === "received" && by !== undefined && ownHosts.has(by);
  });
  const above = fields.slice(0, Math.max(0, own));
  const field = fields[own];
  return above.length > 0 && field !== undefined && above.every(({ name }) => TRACE.test(name))
    ? [field.start]
    : [];
}
