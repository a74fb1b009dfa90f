// The values that tests are made of, each with one builder: envelopes, recipients, bodies, and texts of routers.toml.
// A case names what it is about; all the rest is ordinary.

import type { Batch, Outcome, Recipient } from "../../src/contract/contract.ts";
import type { Body, Envelope, Mailbox } from "../../src/mail/envelope.ts";
import { status } from "../../src/mail/status.ts";
import type { Finding } from "../../src/retry/clocks/finding.ts";
import type { RoutedDelivery } from "../../src/route/route.ts";
import type { StoredMessage, StoredRecipient, WaitingCopy } from "../../src/spool/spool.ts";

/** When the messages of tests were received. */
const RECEIVED = Date.UTC(2026, 0, 1);

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
    receivedAt: RECEIVED,
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

/** bob@example.com, due since the message was received. */
export function storedRecipient(given: Partial<StoredRecipient> = {}): StoredRecipient {
  return {
    position: 0,
    mailbox: mailbox("bob@example.com"),
    state: "pending",
    attempts: 0,
    nextAttempt: RECEIVED,
    ...given,
  };
}

/** A message under attempt, for bob@example.com. */
export function storedMessage(given: Partial<StoredMessage> = {}): StoredMessage {
  return {
    envelope: envelope(),
    state: "active",
    recipients: [storedRecipient()],
    journal: [],
    warnings: 0,
    body: inlineBody(),
    ...given,
  };
}

/** A copy for bob@example.com that has failed once. */
export function waitingCopy(given: Partial<WaitingCopy> = {}): WaitingCopy {
  return {
    address: "bob@example.com",
    router: "copy",
    attempts: 1,
    firstFailure: RECEIVED,
    lastStatus: status(451, "3.0", "later"),
    nextAttempt: RECEIVED,
    ...given,
  };
}

/** A delivery to the address, as the chain has named it: by the smtp transport. */
export function routedDelivery(
  address: string,
  given: Partial<RoutedDelivery> = {},
): RoutedDelivery {
  const to = mailbox(address);
  return {
    router: "main",
    transport: "smtp",
    unseen: false,
    mailbox: to,
    original: to,
    account: {},
    ...given,
  };
}

/** What a delivery to bob@example.com came to. */
export function finding(outcome: Outcome, given: Partial<Finding> = {}): Finding {
  const bob = mailbox("bob@example.com");
  return {
    position: 0,
    mailbox: bob,
    original: bob,
    router: "main",
    transport: "smtp",
    unseen: false,
    outcome,
    ...given,
  };
}

/** Mail from 127.0.0.1 goes where the DNS says, by an smtp transport with these `settings`. */
export function outboundConfig(settings: string): string {
  return `
[gate]
local_domains = "example.com"
[[gate.relay]]
hosts = "127.0.0.1"
sender_domains = "*"
[[routers]]
name = "world"
driver = "dnslookup"
transport = "remote_smtp"
ignore_target_hosts = []
[transports.remote_smtp]
driver = "smtp"
${settings}
`;
}

/**
 * The founding configuration with small names: accounts in gmail_accounts, Google and the other hosts at local ports.
 */
export function workspaceConfig(google: number, world: number = google): string {
  return `
[domains]
ours = ["example.com"]
[hosts]
trusted = ["127.0.0.1"]
[gate]
local_domains = "+ours"
[[gate.relay]]
hosts = "+trusted"
sender_domains = "+ours"
null_sender = "accept"
${workspaceRouters(`driver = "manualroute"
domains = ["!+ours"]
route = ["127.0.0.1:${world}"]`)}[transports.gmail]
driver = "smtp"
hosts = ["127.0.0.1:${google}"]
[transports.remote_smtp]
driver = "smtp"
${RECEIVED_COPIES}${SENT_COPIES}`;
}

/** The routers of etc/routers.toml; `world` is what the last of them does with mail for others. */
export function workspaceRouters(world: string): string {
  return `[[routers]]
name = "gmail_outgoing"
driver = "sender-match"
sender_domains = "+ours"
sender_local_parts = "lsearch:gmail_accounts"
transport = "store_outgoing_copy"
unseen = true
${accountRouters("gmail_accounts")}[[routers]]
name = "world"
${world}
transport = "remote_smtp"
`;
}

/** Mail for the accounts that a file lists: a copy of it, and the mail itself. */
export function accountRouters(list: string): string {
  return `[[routers]]
name = "gmail_users"
driver = "unseen-copy"
domains = "+ours"
local_parts = "lsearch:${list}"
transport = "gmail_local_delivery"
[[routers]]
name = "gmail_remote"
driver = "accept"
domains = "+ours"
local_parts = "lsearch:${list}"
transport = "gmail"
`;
}

/** Copies of received mail, by account. */
export const RECEIVED_COPIES = copies("gmail_local_delivery", "mail/{domain}/{local_part}");

/** Copies of sent mail, by account. */
export const SENT_COPIES = copies(
  "store_outgoing_copy",
  "mail/{sender_domain}/{sender_local_part}/.Sent",
);

function copies(transport: string, directory: string): string {
  return `[transports.${transport}]
driver = "maildir-append"
directory = "${directory}"
delivery_date_add = true
envelope_to_add = true
return_path_add = true
maildir_tag = ",S={size}"
`;
}

/** Mail for the `accounts` of example.com goes to a sink, with a copy in mail/ACCOUNT. `relay` is added to [relay]. */
export function processConfig(port: number, sinkPort: number, relay = ""): string {
  return `[relay]
hostname = "mx.example.com"
spool_directory = "spool"
${relay}
[[listeners]]
address = "127.0.0.1:${port}"
tls = "none"
[gate]
local_domains = "example.com"
[[routers]]
name = "copy"
driver = "unseen-copy"
domains = "example.com"
local_parts = "lsearch:accounts"
transport = "maildir"
[[routers]]
name = "remote"
driver = "accept"
domains = "example.com"
local_parts = "lsearch:accounts"
transport = "google"
[transports.maildir]
driver = "maildir-append"
directory = "mail/{local_part}"
[transports.google]
driver = "smtp"
hosts = ["127.0.0.1:${sinkPort}"]
tls = "none"
`;
}
