// The proof of the tenant through a whole relay: Google's addresses are open to every tenant, the world only to ours.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { LETTER, rsaKey, signed } from "../receive/authentication/signing.ts";
import { workspaceConfig } from "../support/build.ts";
import { startTestRelay, type TestRelay } from "../support/relay.ts";
import { type Sink, startSink } from "../support/sink.ts";
import { begin, say } from "../support/transaction.ts";

const OURS = rsaKey();
const GOOGLE = "127.0.0.7";

function config(sink: Sink, proof: string): string {
  const rule = `[[gate.relay]]
hosts = "${GOOGLE}"
sender_domains = "+ours"
proof = ${proof}
null_sender = "proof"
[[routers]]`;
  return workspaceConfig(sink.port).replace("[[routers]]", rule);
}

function start(sink: Sink, proof = '{ dkim = "+ours", header = "X-Tenant: s3cret" }') {
  return startTestRelay({
    config: config(sink, proof),
    files: { gmail_accounts: "alice\n" },
    dns: {
      "sel._domainkey.example.com": { TXT: [OURS.record] },
      fail: { "silent._domainkey.example.com": "SERVFAIL" },
    },
  });
}

async function relayed(
  relay: TestRelay,
  letter: string,
  sender = "<alice@example.com>",
  recipients = ["<dave@example.org>"],
): Promise<string> {
  using client = await relay.connect(GOOGLE);
  await begin(client, sender);
  for (const one of recipients) assert.match(await client.ask(`RCPT TO:${one}`), /^250 /);
  return await say(client, letter);
}

const SIGNED = signed(LETTER, { key: OURS, domain: "example.com" });

test("what our domain has signed goes out to the byte, and without a signature nothing does", async () => {
  await using sink = await startSink();
  await using relay = await start(sink);
  assert.match(await relayed(relay, SIGNED), /^250 /);
  await relay.happened("message.completed");
  assert.ok(sink.messages[0]?.raw.toString("latin1").endsWith(`\r\n${SIGNED}`));
  assert.match(
    await relayed(relay, LETTER),
    /^550 5\.7\.1 Relaying denied: .*: no DKIM signature of example\.com, and no x-tenant header with the right value$/,
  );
  assert.match(await relayed(relay, SIGNED.replace("Hello", "Hallo")), /^550 5\.7\.1 .*body hash/);
  assert.equal(sink.messages.length, 1);
});

test("the header is proof enough, also beside a broken signature, and stays behind", async () => {
  await using sink = await startSink();
  await using relay = await start(sink);
  const broken = SIGNED.replace("Hello", "Hallo");
  assert.match(await relayed(relay, `X-Tenant: s3cret\r\n${broken}`), /^250 /);
  await relay.happened("message.completed");
  const out = sink.messages[0]?.raw.toString("latin1") ?? "";
  assert.ok(out.endsWith(`\r\n${broken}`));
  assert.doesNotMatch(out, /s3cret/);
  assert.equal(relay.dns.queries.length, 0);
});

test("where only the header is a proof, the reply names it and not its value", async () => {
  await using sink = await startSink();
  await using relay = await start(sink, '{ header = "X-Tenant: s3cret" }');
  const reply = await relayed(relay, `X-Tenant: s3cre\r\n${SIGNED}`);
  assert.match(reply, /^550 5\.7\.1 Relaying denied: .*: no x-tenant header with the right value$/);
  assert.equal(relay.dns.queries.length, 0);
});

test("a DNS that does not answer is no answer: the client is to come again", async () => {
  await using sink = await startSink();
  await using relay = await start(sink, '{ dkim = "+ours" }');
  const silent = signed(LETTER, { key: OURS, domain: "example.com", selector: "silent" });
  assert.match(await relayed(relay, silent), /^451 4\.7\.0 /);
  assert.equal(relay.log.named("message.refused")[0]?.why, "content");
  assert.equal(sink.messages.length, 0);
});

test("a null sender needs the signature as well", async () => {
  await using sink = await startSink();
  await using relay = await start(sink, '{ dkim = "+ours" }');
  assert.match(await relayed(relay, LETTER, "<>"), /^550 5\.7\.1 /);
  assert.match(await relayed(relay, SIGNED, "<>"), /^250 /);
});

test("mail for us needs none", async () => {
  await using sink = await startSink();
  await using relay = await start(sink, '{ dkim = "+ours" }');
  const [carol, alice] = ["<carol@example.net>", "<alice@example.com>"];
  assert.match(await relayed(relay, LETTER, carol, [alice]), /^250 /);
  assert.equal(relay.dns.queries.length, 0);
});

test("fifty megabytes are verified on their way, and not held in memory", async () => {
  await using sink = await startSink();
  await using relay = await start(sink, '{ dkim = "+ours" }');
  const line = `${"x".repeat(70)} \t${"y".repeat(5)}\r\n`;
  const body = line.repeat((45 * 2 ** 20) / line.length);
  const letter = signed(LETTER + body, { key: OURS, domain: "example.com" });
  using client = await relay.connect(GOOGLE);
  await begin(client, "<alice@example.com>");
  assert.match(await client.ask("RCPT TO:<alice@example.com>"), /^250 /);
  assert.match(await client.ask("RCPT TO:<dave@example.org>"), /^250 /);
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  }, 5);
  const bytes = Buffer.from(letter.replaceAll(/^\./gm, ".."), "latin1");
  assert.match(await client.ask("DATA"), /^354 /);
  client.send(bytes);
  client.send(".\r\n");
  assert.match(await client.reply(), /^250 /);
  clearInterval(watch);
  // The letter is there once, on the client's side; what is not yet collected beside it is less than another.
  assert.ok(most < 1.9 * bytes.length, `${most} bytes for ${bytes.length}`);
  await relay.happened("message.completed");
  const [arrived] = await relay.copies("mail/example.com/alice");
  const copy = arrived?.replaceAll("\n", "\r\n") ?? "";
  assert.equal(digest(copy.slice(-letter.length)), digest(letter));
});

function digest(text: string): string {
  return createHash("sha256").update(text, "latin1").digest("hex");
}

test("another tenant cannot use up the rate of a sender of ours", async () => {
  await using sink = await startSink();
  const text = config(sink, '{ header = "X-Tenant: s3cret" }');
  await using relay = await startTestRelay({
    config: text.replace('null_sender = "proof"\n', 'sender_rate = "3/1h"\n'),
    files: { gmail_accounts: "alice\n" },
  });
  const world = ["<a@example.org>", "<b@example.org>", "<c@example.org>"];
  using client = await relay.connect(GOOGLE);
  for (let tries = 0; tries < 3; tries++) {
    await begin(client, "<alice@example.com>");
    for (const one of world) assert.match(await client.ask(`RCPT TO:${one}`), /^250 /);
    assert.match(await client.ask("RCPT TO:<d@example.org>"), /^450 4\.7\.1 /, "one too many");
    if (tries === 0) await client.ask("RSET");
    else assert.match(await say(client, LETTER), /^550 5\.7\.1 /);
  }
  assert.match(
    await relayed(relay, `X-Tenant: s3cret\r\n${LETTER}`, "<alice@example.com>", world),
    /^250 /,
  );
  await begin(client, "<alice@example.com>");
  assert.match(await client.ask("RCPT TO:<a@example.org>"), /^450 4\.7\.1 /);
});
