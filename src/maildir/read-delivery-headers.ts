// Reads the delivery headers on top of a copy, as delivery-headers.ts and Exim write them: Return-path, Envelope-to and
// Delivery-date, in this order.
//
// Invariant: each is taken once and in order. The message below may begin with fields of the same names, written by
// strangers: those belong to the message.

export interface ReadDeliveryHeaders {
  /** Octets of these headers; the message begins after them. */
  readonly length: number;
  /** The addresses, separated by commas; "" without the line. */
  readonly envelopeTo: string;
  /** Milliseconds since the epoch. */
  readonly deliveryDate: number | undefined;
}

/** The most octets that the headers of one copy may have: 1000 recipients, and a reverse-path. */
export const DELIVERY_HEADERS_OCTETS = 300_000;

const RETURN_PATH = /Return-path: <[^\n]*>\r?\n/y;
const ENVELOPE_TO = /Envelope-to: ([^\n]*(?:\n[ \t][^\n]*)*)\n/y;
const DELIVERY_DATE =
  /Delivery-date: ((?:[A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4})\r?\n/y;

/** `top` is the begin of the file: at least DELIVERY_HEADERS_OCTETS, or all of it. */
export function readDeliveryHeaders(top: Buffer): ReadDeliveryHeaders {
  const text = top.toString("latin1", 0, Math.min(top.length, DELIVERY_HEADERS_OCTETS));
  let length = 0;
  const take = (pattern: RegExp): string => {
    pattern.lastIndex = length;
    const found = pattern.exec(text);
    length += found?.[0].length ?? 0;
    return found?.[1] ?? "";
  };
  take(RETURN_PATH);
  const envelopeTo = take(ENVELOPE_TO)
    .replaceAll(/\s*\n\s+/g, " ")
    .trim();
  const date = Date.parse(take(DELIVERY_DATE));
  return {
    length,
    envelopeTo: Buffer.from(envelopeTo, "latin1").toString("utf8"),
    deliveryDate: Number.isNaN(date) ? undefined : date,
  };
}
