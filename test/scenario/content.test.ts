// Bytes in are bytes out: on the wire under our one Received header, in the Maildir under three more, with LF.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";
import { workspaceConfig } from "../support/build.ts";
import { startTestRelay } from "../support/relay.ts";
import { startSink } from "../support/sink.ts";
import { begin, say, send } from "../support/transaction.ts";

const files = { gmail_accounts: "alice\n" };
const MAIL = new URL("../corpus/", import.meta.url);

/** Our Received header: its first line and the folded ones. */
const RECEIVED = /^Received: from client\.example\.net .*\r\n(?:\t.*\r\n)+/;

async function letters(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const name of await readdir(MAIL)) {
    if (!name.endsWith(".eml")) continue;
    const text = await readFile(new URL(name, MAIL), "latin1");
    found.set(name, text.replaceAll(/\r?\n/g, "\r\n"));
  }
  const line = `${"0123456789".repeat(7)}\r\n`;
  found.set("a message in a file of its own", `Subject: large\r\n\r\n${line.repeat(20_000)}`);
  found.set("dots", "Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n...\r\n");
  found.set("no body", "Subject: nothing\r\n");
  found.set("no header", "\r\nbody\r\n");
  found.set("one long line", `Subject: long\r\n\r\n${"x".repeat(60_000)}\r\n`);
  return found;
}

for (const [direction, sender, recipient, maildir] of [
  ["in", "<carol@example.net>", "<alice@example.com>", "mail/example.com/alice"],
  ["out", "<alice@example.com>", "<dave@example.org>", "mail/example.com/alice/.Sent"],
] as const) {
  test(`on the way ${direction}, every message leaves as it came, and so does its copy`, async () => {
    await using sink = await startSink();
    await using relay = await startTestRelay({ config: workspaceConfig(sink.port), files });
    using client = await relay.connect();
    const sent = await letters();
    assert.ok(sent.size > 10);
    for (const letter of sent.values()) {
      await send(client, `${sender} BODY=8BITMIME`, [recipient], letter);
    }
    await relay.happened("message.completed", sent.size);

    const left = sink.messages.map(({ raw }) => raw.toString("latin1"));
    const bare = left.map((raw) => raw.replace(RECEIVED, ""));
    assert.deepEqual(new Set(bare), new Set(sent.values()));
    const copies = await relay.copies(maildir);
    const kept = copies.map((copy) =>
      copy.replace(/^Return-path: .*\nEnvelope-to: .*\nDelivery-date: .*\n(?=Received: )/, ""),
    );
    assert.deepEqual(new Set(kept), new Set(left.map((raw) => raw.replaceAll("\r\n", "\n"))));
    assert.deepEqual([left.length, kept.length], [sent.size, sent.size]);
  });
}

test("the size of a copy is in its name", async () => {
  await using sink = await startSink();
  await using relay = await startTestRelay({ config: workspaceConfig(sink.port), files });
  using client = await relay.connect("127.0.0.9");
  await send(client, "<carol@example.net>", ["<alice@example.com>"]);
  await relay.happened("message.completed");
  const [name] = await readdir(`${relay.directory}/mail/example.com/alice/new`);
  const [copy] = await relay.copies("mail/example.com/alice");
  assert.equal(/,S=(\d+)$/.exec(name ?? "")?.[1], String(copy?.length));
});

test("an internationalized message is passed on to a host that takes it", async () => {
  await using sink = await startSink();
  await using relay = await startTestRelay({ config: workspaceConfig(sink.port), files });
  using client = await relay.connect();
  const dave = Buffer.from("<dævid@example.org>").toString("latin1");
  await send(client, "<alice@example.com> SMTPUTF8", [dave], "Subject: h\xc3\xa6\r\n\r\nhello\r\n");
  const [left] = await sink.waitFor(1);
  assert.deepEqual([left?.smtputf8, left?.recipients], [true, ["dævid@example.org"]]);
});

test("for a host that does not take it, it goes back with 5.6.7, and nothing of it is changed", async () => {
  await using world = await startSink({ server: { hideSMTPUTF8: true } });
  await using google = await startSink();
  await using relay = await startTestRelay({
    config: workspaceConfig(google.port, world.port),
    files,
  });
  using client = await relay.connect();
  const dave = Buffer.from("<dævid@example.org>").toString("latin1");
  await send(client, "<alice@example.com> SMTPUTF8", [dave]);
  const [bounce] = await google.waitFor(1);
  assert.match(bounce?.raw.toString() ?? "", /^Status: 5\.6\.7\r$/m);
  assert.deepEqual(world.messages, []);
});

test('with eight_bit = "bounce", 8-bit mail for a host that takes only 7 goes back with 5.6.3', async () => {
  await using world = await startSink({ server: { hide8BITMIME: true } });
  await using google = await startSink();
  await using relay = await startTestRelay({
    config: workspaceConfig(google.port, world.port).replace(
      '[transports.remote_smtp]\ndriver = "smtp"',
      '$&\neight_bit = "bounce"',
    ),
    files,
  });
  using client = await relay.connect();
  const letter = "Subject: x\r\n\r\ngr\xfc\xdfe\r\n";
  await send(client, "<alice@example.com> BODY=8BITMIME", ["<dave@example.org>"], letter);
  const [bounce] = await google.waitFor(1);
  assert.match(bounce?.raw.toString("latin1") ?? "", /^Status: 5\.6\.3\r$/m);
  assert.deepEqual(world.messages, []);
});

test("a loop ends: a message with too many Received lines is refused", async () => {
  await using relay = await startTestRelay({ config: workspaceConfig(9), files });
  using client = await relay.connect("127.0.0.9");
  await begin(client, "<carol@example.net>");
  await client.ask("RCPT TO:<alice@example.com>");
  assert.match(await say(client, `${"Received: x\r\n".repeat(101)}\r\nbody\r\n`), /^550 5\.4\.6 /);
  assert.equal(await relay.relay.spool.count(), 0);
});
