// Envelopes, recipients and bodies for tests, from as little text as the case needs.

import type { Batch, Recipient } from "../../src/contract/contract.ts";
import type { Body, Envelope, Mailbox } from "../../src/mail/envelope.ts";

/** "Bob@Example.com" as the parser returns it for a plain address. The last "@" divides it. */
export function mailbox(address: string): Mailbox {
  const at = address.lastIndexOf("@");
  return {
    address,
    localPart: address.slice(0, Math.max(at, 0)),
    domain: address.slice(at + 1).toLowerCase(),
  };
}

/** From alice@example.org, received on the first of January 2026. */
export function envelope(given: Partial<Envelope> = {}): Envelope {
  return {
    id: "0000000001",
    sender: mailbox("alice@example.org"),
    client: { address: "192.0.2.1", helo: "client.example.org" },
    receivedAt: Date.UTC(2026, 0, 1),
    size: MESSAGE.length,
    eightBit: false,
    smtputf8: false,
    ...given,
  };
}

/** One recipient whose canonical account is the address itself, in lower case. */
export function recipient(address: string, given: Partial<Recipient> = {}): Recipient {
  const parsed = mailbox(address);
  return {
    id: `r-${address}`,
    mailbox: parsed,
    original: parsed,
    account: { domain: parsed.domain, localPart: parsed.localPart.toLowerCase() },
    ...given,
  };
}

/** A small message in canonical form, CRLF and all. */
export const MESSAGE = Buffer.from(
  "Received: from client.example.org by mx.example.com; Thu, 01 Jan 2026 00:00:00 +0000\r\n" +
    "From: alice@example.org\r\nTo: bob@example.com\r\nSubject: hello\r\n\r\nHello Bob,\r\n.\r\nbye\r\n",
);

/** A body that is held in memory. */
export function inlineBody(bytes: Buffer = MESSAGE): Body {
  return { size: bytes.length, inline: bytes, chunks: () => pieces(bytes, bytes.length || 1) };
}

/** A body in pieces of `pieceSize` bytes, like that of a large message from its file. */
export function streamedBody(bytes: Buffer, pieceSize: number): Body {
  return { size: bytes.length, chunks: () => pieces(bytes, pieceSize) };
}

/** A body whose stored bytes turn out to be damaged after the first few. */
export function damagedBody(): Body {
  return {
    size: MESSAGE.length,
    async *chunks() {
      yield MESSAGE.subarray(0, 10);
      await Promise.resolve();
      throw new Error("the checksum of the body is wrong");
    },
  };
}

async function* pieces(bytes: Buffer, pieceSize: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceSize) {
    await Promise.resolve();
    yield bytes.subarray(at, at + pieceSize);
  }
}

export function batch(recipients: readonly Recipient[], given: Partial<Batch> = {}): Batch {
  return {
    envelope: envelope(),
    body: inlineBody(),
    recipients,
    fresh: true,
    force: false,
    ...given,
  };
}
