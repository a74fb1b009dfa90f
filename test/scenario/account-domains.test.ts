// Accounts of several domains: one file for each, and aliases that lead to an account of another domain.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { workspaceConfig } from "../support/build.ts";
import { relayctl } from "../support/program.ts";
import { startTestRelay } from "../support/relay.ts";
import { startSink } from "../support/sink.ts";
import { begin, send } from "../support/transaction.ts";

const files = {
  "accounts/example.com": "alice\nbob\n",
  "accounts/example.net": "carol\nbob.smith: bob@example.com\nalice: carol\n",
};

const config = (port: number) =>
  workspaceConfig(port)
    .replace('ours = ["example.com"]', 'ours = ["example.com", "example.net"]')
    .replaceAll("lsearch:gmail_accounts", "lsearch:accounts/{domain}");

test("each domain has its own accounts, and an alias leaves its copy where its account is", async () => {
  await using google = await startSink();
  await using relay = await startTestRelay({ config: config(google.port), files });
  using client = await relay.connect("127.0.0.9");
  const names = ["Bob.Smith+x@example.net", "alice@example.net", "alice@example.com"];
  await send(
    client,
    "<dave@example.org>",
    names.map((name) => `<${name}>`),
  );
  await relay.happened("message.completed");
  const recipients = google.messages.flatMap((message) => message.recipients);
  assert.deepEqual(recipients.toSorted(), names.toSorted());
  const copied = {
    "example.com/bob": "Bob.Smith+x@example.net",
    "example.net/carol": "alice@example.net",
    "example.com/alice": "alice@example.com",
  };
  for (const [account, name] of Object.entries(copied)) {
    const copies = await relay.copies(`mail/${account}`);
    assert.equal(copies.length, 1, account);
    assert.ok(copies[0]?.includes(`Envelope-to: ${name}\n`), account);
  }
  await begin(client, "<dave@example.org>");
  assert.match(await client.ask("RCPT TO:<carol@example.com>"), /^550 5\.1\.1 /);
  assert.match(await client.ask("RCPT TO:<bob@example.net>"), /^550 5\.1\.1 /);
});

test("an account and its alias elsewhere share one copy", async () => {
  await using google = await startSink();
  await using relay = await startTestRelay({ config: config(google.port), files });
  using client = await relay.connect("127.0.0.9");
  await send(client, "<dave@example.org>", ["<bob@example.com>", "<bob.smith@example.net>"]);
  await relay.happened("message.completed");
  const [copy, ...more] = await relay.copies("mail/example.com/bob");
  assert.deepEqual(more, []);
  assert.match(copy ?? "", /^Envelope-to: bob@example\.com,\s+bob\.smith@example\.net$/m);
});

test("mail from an alias is in the sent folder of its account", async () => {
  await using world = await startSink();
  await using relay = await startTestRelay({ config: config(world.port), files });
  using client = await relay.connect();
  await send(client, "<bob.smith@example.net>", ["<dave@example.org>"]);
  await relay.happened("message.completed");
  assert.equal((await relay.copies("mail/example.com/bob/.Sent")).length, 1);
});

test("a domain without a file puts its mail off, and no other", async () => {
  await using google = await startSink();
  const less = { "accounts/example.com": "alice\n" };
  await using relay = await startTestRelay({ config: config(google.port), files: less });
  using client = await relay.connect("127.0.0.9");
  await begin(client, "<dave@example.org>");
  assert.match(await client.ask("RCPT TO:<carol@example.net>"), /^451 4\.3\.0 /);
  assert.match(await client.ask("RCPT TO:<alice@example.com>"), /^250 /);
});

test("the dry run shows the Maildir of the account, and warns of each file", async () => {
  await using google = await startSink();
  await using relay = await startTestRelay({ config: config(google.port), files });
  await relay.stop();
  const path = join(relay.directory, "routers.toml");
  writeFileSync(
    join(relay.directory, "accounts/example.com"),
    "alice\nbob\npostmaster\nx@y.test: alice\n",
  );
  const asked = ["check", "bob.smith@example.net", "--json", "--config", path];
  const { stdout } = await relayctl(asked);
  const { recipients } = JSON.parse(stdout);
  const [copy] = recipients[0].deliveries;
  assert.equal(copy.path, join(relay.directory, "mail/example.com/bob"));
  const all = await relayctl(["check", "--json", "--config", path]);
  assert.deepEqual(JSON.parse(all.stdout).warnings, [
    `${relay.directory}/accounts/example.com: "x@y.test": is an address; a local part is wanted`,
  ]);
});

test("a relay rule takes only senders of the account list of their own domain", async () => {
  await using world = await startSink();
  const narrowed = config(world.port).replace(
    'null_sender = "accept"',
    'null_sender = "accept"\nsender_local_parts = "lsearch:accounts/{domain}"',
  );
  await using relay = await startTestRelay({ config: narrowed, files });
  using client = await relay.connect();
  await client.ask("EHLO client.example.net");
  for (const [sender, reply] of [
    ["alice@example.com", /^250 /],
    ["carol@example.net", /^250 /],
    ["carol@example.com", /^550 5\.7\.1 /],
    ["bob@example.net", /^550 5\.7\.1 /],
  ] as const) {
    await client.ask(`MAIL FROM:<${sender}>`);
    assert.match(await client.ask("RCPT TO:<dave@example.org>"), reply, sender);
    await client.ask("RSET");
  }
});
