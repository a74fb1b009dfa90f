// What is too much: refused where it can be known, and never at the price of what was accepted before.

import assert from "node:assert/strict";
import { test } from "node:test";
import { workspaceConfig } from "../support/build.ts";
import { startTestRelay } from "../support/relay.ts";
import { startSink } from "../support/sink.ts";
import { begin, LETTER, say, send } from "../support/transaction.ts";

const files = { gmail_accounts: "alice\nbob\neve\n" };

function limited(port: number, limit: string): string {
  const relay = '[relay]\nhostname = "mx.example.com"\nspool_directory = "spool"\n';
  return `${relay}${limit}\n${workspaceConfig(port)}`;
}

test("a message over the size is refused at MAIL if it says so, else at its end, and the session goes on", async () => {
  await using google = await startSink();
  const config = limited(google.port, 'message_size_limit = "10K"');
  await using relay = await startTestRelay({ config, files });
  using client = await relay.connect("127.0.0.9");
  assert.match(await client.ask("EHLO client.example.net"), /^250-SIZE 10240$/m);
  assert.match(await client.ask("MAIL FROM:<carol@example.net> SIZE=10241"), /^552 5\.3\.4 /);
  await begin(client, "<carol@example.net> SIZE=100");
  await client.ask("RCPT TO:<alice@example.com>");
  assert.match(
    await say(client, `Subject: x\r\n\r\n${"x".repeat(60)}\r\n`.repeat(160)),
    /^552 5\.3\.4 /,
  );
  await send(client, "<carol@example.net>", ["<alice@example.com>"]);
  const [only] = await google.waitFor(1);
  assert.ok(only?.raw.toString().endsWith(LETTER));
  await relay.happened("message.completed");
  assert.equal((await relay.copies("mail/example.com/alice")).length, 1);
});

test("recipients beyond the limit are asked for another message, and those before get this one", async () => {
  await using google = await startSink();
  const config = limited(google.port, "recipients_max = 100");
  await using relay = await startTestRelay({ config, files });
  using client = await relay.connect("127.0.0.9");
  await begin(client, "<carol@example.net>");
  for (let count = 1; count <= 100; count++) {
    assert.match(await client.ask(`RCPT TO:<alice+${count}@example.com>`), /^250 2\.1\.5 /);
  }
  assert.match(await client.ask("RCPT TO:<bob@example.com>"), /^452 4\.5\.3 /);
  assert.match(await say(client), /^250 /);
  const [message] = await google.waitFor(1);
  assert.equal(message?.recipients.length, 100);
  await relay.happened("message.completed");
  const copies = await relay.copies("mail/example.com/alice");
  assert.equal(copies.length, 1);
  assert.match(copies[0] ?? "", /alice\+1@example\.com,[^]*alice\+100@example\.com\n/);
});

/** An alias in front of the accounts. */
function withAliases(port: number, limit: string): string {
  const alias = `[[routers]]\nname = "aliases"\ndriver = "redirect"\ndomains = ["example.com"]\nfile = "aliases"\n`;
  return limited(port, limit).replace("[[routers]]", `${alias}\n[[routers]]`);
}

const names = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) => `user${from + n}`);
const listed = (...accounts: readonly string[]) => `${accounts.join("\n")}\n`;

test("an alias counts its members once, however often it is written to, and each of them has one message", async () => {
  await using google = await startSink();
  const members = names(0, 20);
  const aliases = `team: ${members.join(", ")}\nall: team, alice\n`;
  const accounts = { gmail_accounts: listed("alice", ...members), aliases };
  await using relay = await startTestRelay({
    config: withAliases(google.port, ""),
    files: accounts,
  });
  using client = await relay.connect("127.0.0.9");
  await begin(client, "<carol@example.net>");
  const written = Array.from(
    { length: 200 },
    (_, n) => `${n % 2 === 0 ? "team" : "all"}+${n}@example.com`,
  );
  for (const to of written) assert.match(await client.ask(`RCPT TO:<${to}>`), /^250 2\.1\.5 /);
  assert.match(await say(client), /^250 /);
  const [message] = await google.waitFor(1);
  assert.equal(message?.recipients.length, 21);
  await relay.happened("message.completed");
  assert.equal(google.messages.length, 1);
  assert.equal(relay.log.named("delivery.done").length, 2 * 21);
  const copies = await relay.copies("mail/example.com/user7");
  assert.equal(copies.length, 1);
  const [head = ""] = (copies[0] ?? "").split("\nDelivery-date:");
  for (const to of written) assert.ok(head.includes(to), to);
});

test("addresses beyond the limit come in another message, each recipient whole", async () => {
  await using google = await startSink();
  const accounts = {
    gmail_accounts: listed("alice", ...names(0, 150)),
    aliases: `one: ${names(0, 80).join(", ")}\ntwo: ${names(70, 150).join(", ")}\nwide: ${names(0, 101).join(", ")}\n`,
  };
  const config = withAliases(google.port, "addresses_max = 100");
  await using relay = await startTestRelay({ config, files: accounts });
  using client = await relay.connect("127.0.0.9");
  await begin(client, "<carol@example.net>");
  assert.match(await client.ask("RCPT TO:<wide@example.com>"), /^451 4\.3\.5 /);
  assert.match(await client.ask("RCPT TO:<one@example.com>"), /^250 2\.1\.5 /);
  assert.match(await client.ask("RCPT TO:<two@example.com>"), /^452 4\.5\.3 /);
  assert.match(await client.ask("RCPT TO:<alice@example.com>"), /^250 2\.1\.5 /);
  assert.match(await say(client), /^250 /);
  await send(client, "<carol@example.net>", ["<two@example.com>"]);
  await relay.happened("message.completed", 2);
  const got = google.messages.map(({ recipients }) => recipients.length);
  assert.deepEqual(
    got.toSorted((a, b) => a - b),
    [80, 81],
  );
});

test("who tries too many names is sent away", async () => {
  // Names that stand in the file itself: a list that is late on a busy machine answers 451.
  const config = limited(9, "refused_recipients_max = 3").replaceAll(
    '"lsearch:gmail_accounts"',
    '["alice"]',
  );
  await using relay = await startTestRelay({ config, files });
  using client = await relay.connect("127.0.0.9");
  await begin(client, "<carol@example.net>");
  assert.match(await client.ask("RCPT TO:<aaron@example.com>"), /^550 5\.1\.1 /);
  assert.match(await client.ask("RCPT TO:<abby@example.com>"), /^550 5\.1\.1 /);
  assert.match(await client.ask("RCPT TO:<abe@example.com>"), /^421 4\.7\.0 /);
  await client.closed();
});

test("who holds too many connections gets no more; hosts of a relay rule have slots of their own", async () => {
  const config = limited(9, "connections_max = 2").replace(
    'trusted = ["127.0.0.1"]',
    'trusted = ["127.0.0.2"]',
  );
  await using relay = await startTestRelay({ config, files });
  using one = await relay.connect("127.0.0.8");
  using two = await relay.connect("127.0.0.9");
  for (const early of [one, two]) assert.match(await early.ask("NOOP"), /^250 /);
  await assert.rejects(relay.connect("127.0.0.7"), /421 4\.7\.0 /);
  using google = await relay.connect("127.0.0.2");
  assert.match(await google.ask("EHLO mail.google.test"), /^250/);
});
