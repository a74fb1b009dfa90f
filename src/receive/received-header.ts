// Our trace header (RFC 5321 4.4). It is the only addition to a message, unless results of its authentication are
// written above it. Google reads the client's address from its brackets.

import type { Client, Mailbox, MessageId } from "../mail/envelope.ts";
import { messageDate } from "../mail/message-date.ts";

export interface Hop {
  readonly client: Client;
  readonly hostname: string;
  readonly id: MessageId;
  readonly smtputf8: boolean;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The recipient, if there is only one: several would be shown to each other. */
  readonly recipient: Mailbox | undefined;
}

export function receivedHeader({ client, hostname, id, smtputf8, at, recipient }: Hop): Buffer {
  const address = client.address.includes(":") ? `IPv6:${client.address}` : client.address;
  const tls = client.tls === undefined ? "" : ` (${tlsText(client.tls)})`;
  const to = recipient === undefined ? "" : `\r\n\tfor <${recipient.address}>`;
  return Buffer.from(
    `Received: from ${client.helo} ([${address}])\r\n` +
      `\tby ${hostname} (unseen) with ${protocolOf(client, smtputf8)}${tls} id ${id}${to};\r\n` +
      `\t${messageDate(at)}\r\n`,
  );
}

/** The protocols of RFC 5321 4.4, RFC 3848 and RFC 6531 3.7.3. They have no name for HELO under TLS. */
function protocolOf({ tls, basic, user }: Client, smtputf8: boolean): string {
  const secured = `${tls === undefined ? "" : "S"}${user === undefined ? "" : "A"}`;
  if (smtputf8) return `UTF8SMTP${secured}`;
  return basic === true ? "SMTP" : `ESMTP${secured}`;
}

/**
 * The TLS of the client, with the first digits of its certificate's fingerprint: enough to find the certificate, too
 * few to imitate it.
 */
function tlsText({ version, cipher, certificate }: NonNullable<Client["tls"]>): string {
  const shown = certificate === undefined ? "" : `, client certificate ${certificate.slice(0, 23)}`;
  return `${version} ${cipher}${shown}`;
}
