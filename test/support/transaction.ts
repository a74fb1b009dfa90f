// A client's side of one transaction, for tests of what comes after it.

import assert from "node:assert/strict";
import type { Wire } from "./wire.ts";

export const LETTER = "Subject: hello\r\n\r\nhello\r\n";

/** Sends EHLO and MAIL; `sender` includes its parameters: "<alice@example.com> RET=HDRS". */
export async function begin(client: Wire, sender: string): Promise<void> {
  await client.ask("EHLO client.example.net");
  assert.match(await client.ask(`MAIL FROM:${sender}`), /^250 /);
}

/** Sends DATA and the message with its dots stuffed. Returns the final reply. */
export async function say(client: Wire, letter = LETTER): Promise<string> {
  assert.match(await client.ask("DATA"), /^354 /);
  client.send(letter.replaceAll(/^\./gm, ".."));
  client.send(".\r\n");
  return client.reply();
}

/** A complete transaction that is accepted. */
export async function send(
  client: Wire,
  sender: string,
  recipients: readonly string[],
  letter = LETTER,
): Promise<void> {
  await begin(client, sender);
  for (const recipient of recipients) {
    assert.match(await client.ask(`RCPT TO:${recipient}`), /^250 /, recipient);
  }
  assert.match(await say(client, letter), /^250 /);
}
