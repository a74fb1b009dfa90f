// Nothing that a stranger writes stands in our Received header, and text without a header section stays text: in the
// copy, on the wire, passed on while it comes in, and in a bounce.

import assert from "node:assert/strict";
import { test } from "node:test";
import { workspaceConfig } from "../support/build.ts";
import { startTestRelay } from "../support/relay.ts";
import { startSink } from "../support/sink.ts";
import { begin, say, send } from "../support/transaction.ts";

const files = { gmail_accounts: "alice\nteam\n" };
const STRANGER = "127.0.0.9";

/** Our header with its date, up to its last CRLF. */
const RECEIVED = /^Received: from .*\r\n\tby .*\r\n(?:\tfor .*\r\n)?\t\w{3}, .* \+0000\r\n/;

function behindReceived(raw: string): string {
  const [ours] = RECEIVED.exec(raw) ?? [];
  assert.ok(ours !== undefined, raw);
  return raw.slice(ours.length);
}

const FOLDED = " (forged by a stranger)\r\nSubject: x\r\n\r\nbody\r\n";
const LETTERS: Readonly<Record<string, string>> = {
  [FOLDED]: `\r\n${FOLDED}`,
  "\t\r\nSubject: x\r\n\r\n": "\r\n\t\r\nSubject: x\r\n\r\n",
  "The printer is out of paper.\r\n": "\r\nThe printer is out of paper.\r\n",
  "\r\nonly a body\r\n": "\r\nonly a body\r\n",
  "From a@b.test Thu Jan  1 00:00:00 2026\r\nSubject: x\r\n\r\nbody\r\n":
    "From a@b.test Thu Jan  1 00:00:00 2026\r\nSubject: x\r\n\r\nbody\r\n",
  "Subject: x\r\nno field\r\n\r\nbody\r\n": "Subject: x\r\nno field\r\n\r\nbody\r\n",
};

for (const cutthrough of [false, true]) {
  test(`the copy and the wire have the same boundary${cutthrough ? ", with cut-through" : ""}`, async () => {
    await using sink = await startSink();
    const config = workspaceConfig(sink.port).replace(
      'name = "gmail_remote"',
      `$&\ncutthrough = ${cutthrough}`,
    );
    await using relay = await startTestRelay({ config, files });
    using client = await relay.connect(STRANGER);
    for (const letter of Object.keys(LETTERS)) {
      await send(client, "<carol@example.net>", ["<alice@example.com>"], letter);
    }
    const wanted = Object.values(LETTERS);
    await relay.happened("message.completed", wanted.length);
    const raw = sink.messages.map((message) => message.raw.toString("latin1"));
    assert.deepEqual(raw.map(behindReceived).toSorted(), wanted.toSorted());
    const copies = await relay.copies("mail/example.com/alice");
    for (const message of raw) {
      assert.ok(copies.some((copy) => copy.endsWith(`\n${message.replaceAll("\r\n", "\n")}`)));
    }
  });
}

test("the boundary is the same however the first line is cut", async () => {
  await using sink = await startSink();
  await using relay = await startTestRelay({ config: workspaceConfig(sink.port), files });
  using client = await relay.connect(STRANGER);
  await begin(client, "<carol@example.net>");
  await client.ask("RCPT TO:<alice@example.com>");
  await client.ask("DATA");
  for (const byte of "no field here\r\nSubject: x\r\n\r\n.\r\n") {
    client.send(byte);
    await new Promise(setImmediate);
  }
  assert.match(await client.reply(), /^250 /);
  await sink.waitFor(1);
  const raw = sink.messages[0]?.raw.toString("latin1") ?? "";
  assert.equal(behindReceived(raw), "\r\nno field here\r\nSubject: x\r\n\r\n");
});

test("what a taken-out field leaves at the front is no part of our header either", async () => {
  await using sink = await startSink();
  const config = workspaceConfig(sink.port).replace(
    "[[gate.relay]]",
    '[gate.authentication]\npolicy = "tag"\n[[gate.relay]]',
  );
  await using relay = await startTestRelay({ config, files });
  using client = await relay.connect(STRANGER);
  const forged = "Authentication-Results: mx.example.com; dmarc=pass\r\n folded\r\n";
  await send(client, "<carol@example.net>", ["<alice@example.com>"], `${forged}text\r\n`);
  await sink.waitFor(1);
  const raw = sink.messages[0]?.raw.toString("latin1") ?? "";
  assert.match(raw, /^Authentication-Results: mx\.example\.com;\r\n\t/);
  assert.equal(behindReceived(raw.slice(raw.indexOf("Received: "))), "\r\ntext\r\n");
});

test("a proof below a first line that is no field proves nothing, and stays in the text", async () => {
  await using sink = await startSink();
  const config = workspaceConfig(sink.port).replace(
    "[[gate.relay]]",
    '$&\nproof = { header = "X-Secret: s3cret" }',
  );
  await using relay = await startTestRelay({ config, files });
  using client = await relay.connect();
  const proof = "X-Secret: s3cret\r\nSubject: x\r\n\r\n";
  for (const [first, reply] of [
    [" folded\r\n", /^550 5\.7\.1 /],
    ["no field\r\n", /^550 5\.7\.1 /],
    [`${"x".repeat(3000)}: y\r\n`, /^250 /],
  ] as const) {
    await begin(client, "<alice@example.com>");
    await client.ask("RCPT TO:<carol@example.org>");
    assert.match(await say(client, `${first}${proof}`), reply, first.slice(0, 20));
  }
});

test("a bounce quotes our header, and not the stranger's text as a part of it", async () => {
  await using sink = await startSink();
  await using relay = await startTestRelay({ config: workspaceConfig(sink.port), files });
  using client = await relay.connect();
  await begin(client, "<alice@example.com> RET=HDRS");
  await client.ask("RCPT TO:<permfail@example.org>");
  assert.match(await say(client, FOLDED), /^250 /);
  const report = (await sink.waitFor(1)).find(({ sender }) => sender === "");
  const text = report?.raw.toString("latin1") ?? "";
  const quoted = text.slice(text.lastIndexOf("Received: from client.example.net"));
  assert.ok(quoted.startsWith("Received: from client.example.net"));
  assert.doesNotMatch(text, /forged by a stranger/);
});
