// What the client's tests share: a conversation with a peer on this machine, and a transaction out of little text.

import assert from "node:assert/strict";
import { systemClock } from "../../../src/base/clock.ts";
import { connect } from "../../../src/smtp/client/client.ts";
import type { ConnectOptions, Connected, Conversation } from "../../../src/smtp/client/client.ts";
import type { Transaction, TransactionRecipient } from "../../../src/smtp/client/message.ts";
import { statusLine, type Status } from "../../../src/mail/status.ts";
import { envelope, inlineBody, mailbox } from "../../support/build.ts";

export const never = () => new AbortController().signal;

export function dial(port: number, given: Partial<ConnectOptions> = {}): Promise<Connected> {
  const minute = 60_000;
  return connect(
    {
      address: "127.0.0.1",
      port,
      name: "mx.example.com",
      helo: "relay.example.com",
      protocol: "smtp",
      tls: "none",
      tryClear: true,
      timeouts: { connect: minute, command: minute, data: minute, final: minute },
      clock: systemClock,
      ...given,
    },
    never(),
  );
}

export async function open(
  port: number,
  given: Partial<ConnectOptions> = {},
): Promise<Conversation> {
  const connected = await dial(port, given);
  assert.ok(connected.kind === "connected", JSON.stringify(connected));
  return connected.conversation;
}

/** The status line that connecting failed with. */
export async function refused(port: number, given: Partial<ConnectOptions> = {}): Promise<string> {
  const connected = await dial(port, given);
  assert.ok(connected.kind === "failed", "it connected");
  return statusLine(connected.status);
}

export function to(...addresses: readonly string[]): TransactionRecipient[] {
  return addresses.map((address) => ({ mailbox: mailbox(address) }));
}

export function message(
  text: string | Buffer,
  recipients: readonly TransactionRecipient[] = to("bob@example.com"),
  given: Partial<Transaction["envelope"]> = {},
): Transaction {
  return {
    envelope: envelope(given),
    recipients,
    body: inlineBody(typeof text === "string" ? Buffer.from(text) : text),
  };
}

export function line(status: Status | undefined): string | undefined {
  return status === undefined ? undefined : statusLine(status);
}
