// Mail from the world for an account of ours: a copy in its Maildir, the message itself on to Google, and
// everything else refused at RCPT.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { workspaceConfig } from "../support/build.ts";
import { startTestRelay } from "../support/relay.ts";
import { startSink } from "../support/sink.ts";
import type { Wire } from "../support/wire.ts";

const files = { gmail_accounts: "alice\nbob: robert\n" };

async function sampleMail(): Promise<string> {
  const text = await readFile(new URL("../corpus/plain.eml", import.meta.url), "latin1");
  return text.replaceAll(/\r?\n/g, "\r\n");
}

async function begin(client: Wire, sender: string): Promise<void> {
  await client.ask("EHLO client.example.net");
  assert.match(await client.ask(`MAIL FROM:<${sender}>`), /^250 /);
}

test("mail for an account is copied into its Maildir and relayed byte for byte", async () => {
  await using sink = await startSink();
  await using relay = await startTestRelay({ config: workspaceConfig(sink.port), files });
  using client = await relay.connect("127.0.0.9");
  const mail = await sampleMail();

  await begin(client, "carol@example.net");
  assert.match(await client.ask("RCPT TO:<Alice@Example.com>"), /^250 2\.1\.5 /);
  await client.ask("DATA");
  client.send(mail.replaceAll(/^\./gm, ".."));
  const queued = await client.ask(".");
  assert.match(queued, /^250 2\.0\.0 .*queued as \w{10}$/);

  const [relayed] = await sink.waitFor(1);
  assert.ok(relayed);
  assert.equal(relayed.sender, "carol@example.net");
  assert.deepEqual(relayed.recipients, ["Alice@Example.com"]);
  const raw = relayed.raw.toString("latin1");
  const received =
    /^Received: from client\.example\.net \(\[127\.0\.0\.9\]\)\r\n(?:\t.*\r\n)+/.exec(raw);
  assert.ok(received, raw);
  assert.equal(raw.slice(received[0].length), mail);

  await relay.happened("message.completed");
  const [copy, ...others] = await relay.copies("mail/example.com/alice");
  assert.deepEqual(others, []);
  assert.ok(copy);
  assert.match(
    copy,
    /^Return-path: <carol@example\.net>\nEnvelope-to: Alice@Example\.com\nDelivery-date: .*\nReceived: /,
  );
  assert.ok(copy.endsWith(raw.replaceAll("\r\n", "\n")));
});

test("one copy serves all recipients that lead to one Maildir", async () => {
  await using sink = await startSink();
  await using relay = await startTestRelay({ config: workspaceConfig(sink.port), files });
  using client = await relay.connect("127.0.0.9");

  await begin(client, "");
  await client.ask("RCPT TO:<bob@example.com>");
  await client.ask("RCPT TO:<bob+lists@example.com>");
  await client.ask("DATA");
  await client.ask("Subject: twice\r\n\r\nhello\r\n.");
  await relay.happened("message.completed");

  const copies = await relay.copies("mail/example.com/robert");
  assert.equal(copies.length, 1);
  assert.match(copies[0] ?? "", /^Envelope-to: bob@example\.com,\s+bob\+lists@example\.com$/m);
  assert.deepEqual(
    sink.messages.map(({ recipients }) => recipients),
    [["bob@example.com", "bob+lists@example.com"]],
  );
});

test("an unknown user of ours is refused at RCPT", async () => {
  await using sink = await startSink();
  await using relay = await startTestRelay({ config: workspaceConfig(sink.port), files });
  using client = await relay.connect("127.0.0.9");

  await begin(client, "carol@example.net");
  assert.match(await client.ask("RCPT TO:<nobody@example.com>"), /^550 5\.1\.1 /);
  assert.deepEqual(
    relay.log.named("recipient.refused").map(({ recipient }) => recipient),
    ["<nobody@example.com>"],
  );
});

test("a stranger relays nothing", async () => {
  await using sink = await startSink();
  await using relay = await startTestRelay({ config: workspaceConfig(sink.port), files });
  using client = await relay.connect("127.0.0.9");

  await begin(client, "alice@example.com");
  assert.match(await client.ask("RCPT TO:<dave@example.org>"), /^550 5\.7\.1 /);
  assert.match(await client.ask("DATA"), /^503 /);
  assert.equal(await relay.relay.spool.count(), 0);
});

test("mail of an account to the world is copied into its .Sent folder", async () => {
  await using sink = await startSink();
  await using relay = await startTestRelay({ config: workspaceConfig(sink.port), files });
  using client = await relay.connect();

  await begin(client, "alice@example.com");
  assert.match(await client.ask("RCPT TO:<dave@example.org>"), /^250 /);
  await client.ask("DATA");
  await client.ask("Subject: out\r\n\r\nhello\r\n.");
  const [relayed] = await sink.waitFor(1);
  assert.deepEqual(relayed?.recipients, ["dave@example.org"]);
  await relay.happened("message.completed");
  assert.equal((await relay.copies("mail/example.com/alice/.Sent")).length, 1);
});
