// Sends many messages in a short time, over a few connections, each in as few segments as SMTP allows.

import assert from "node:assert/strict";
import type { TestRelay } from "./relay.ts";
import type { Wire } from "./wire.ts";

export interface Flood {
  readonly sender: string;
  /** The recipient of the message with this number, counted from 0. */
  readonly recipient: (number: number) => string;
  readonly count: number;
  /** The address of the client. */
  readonly from?: string;
}

const CONNECTIONS = 10;

/** Resolves when all messages are accepted. */
export async function flood(
  relay: TestRelay,
  { sender, recipient, count, from }: Flood,
): Promise<void> {
  let next = 0;
  const run = async () => {
    using client = await relay.connect(from);
    await client.ask("EHLO client.example.net");
    while (next < count) await one(client, sender, recipient(next++));
  };
  await Promise.all(Array.from({ length: Math.min(CONNECTIONS, count) }, run));
}

async function one(client: Wire, sender: string, recipient: string): Promise<void> {
  client.send(`MAIL FROM:<${sender}>\r\nRCPT TO:<${recipient}>\r\nDATA\r\n`);
  for (const code of ["250", "250", "354"]) {
    const reply = await client.reply();
    assert.ok(reply.startsWith(code), reply);
  }
  assert.match(await client.ask("Subject: one of many\r\n\r\nhello\r\n."), /^250 /);
}
