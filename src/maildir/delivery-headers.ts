// The headers that a delivery writes above a copy, in Exim's order: Return-path, Envelope-to, Delivery-date.
// They keep the envelope of the message; RFC 5321 4.4 asks for the first.

import type { Mailbox } from "../mail/envelope.ts";
import { messageDate } from "../mail/message-date.ts";
import { canonicalAddressOf, pathText } from "../mail/address.ts";

export interface DeliveryHeaders {
  readonly returnPath: boolean;
  readonly envelopeTo: boolean;
  readonly deliveryDate: boolean;
}

/** Short lists stay on one line, for readers that expect it. Longer lists fold far below the 998 of RFC 5322 2.1.1. */
const FOLD_AT = 900;

/** A recipient of the copy, by the addresses that the client gave. */
interface CopiedFor {
  readonly original: Mailbox;
  readonly alsoFor?: readonly Mailbox[];
}

/** With LF line ends, in UTF-8. `now` is in milliseconds since the epoch. */
export function deliveryHeaders(
  wanted: DeliveryHeaders,
  sender: Mailbox | null,
  recipients: readonly CopiedFor[],
  now: number,
): string {
  let headers = "";
  if (wanted.returnPath) headers += `Return-path: ${oneLine(pathText(sender))}\n`;
  if (wanted.envelopeTo) headers += `Envelope-to: ${addressList(recipients)}\n`;
  if (wanted.deliveryDate) headers += `Delivery-date: ${messageDate(now)}\n`;
  return headers;
}

/** The addresses that the client gave, each once, also those that an alias has led here. */
function addressList(recipients: readonly CopiedFor[]): string {
  const addresses = new Map<string, string>();
  for (const { original, alsoFor = [] } of recipients) {
    for (const mailbox of [original, ...alsoFor]) {
      const same = canonicalAddressOf(mailbox);
      if (!addresses.has(same)) addresses.set(same, oneLine(mailbox.address));
    }
  }
  let list = "";
  let lineLength = 0;
  for (const address of addresses.values()) {
    const fold = lineLength > 0 && lineLength + address.length > FOLD_AT;
    if (fold) lineLength = 0;
    list += list === "" ? address : `${fold ? ",\n " : ", "}${address}`;
    lineLength += address.length + 2;
  }
  return list;
}

/** The address parser lets no control character through; a header must not depend on it. */
function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, "?");
}
