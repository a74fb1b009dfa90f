// Which account an address belongs to: canonical names, suffixes, groups, aliases, and a list that is not there.

import assert from "node:assert/strict";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { workspaceConfig } from "../support/build.ts";
import { startTestRelay } from "../support/relay.ts";
import { startSink } from "../support/sink.ts";
import { begin, send } from "../support/transaction.ts";

const files = {
  gmail_accounts: "alice\nbob.smith: bob\nteam\n",
  aliases: "sales: alice, bob.smith\n",
};

const ALIASES = `[[routers]]
name = "aliases"
driver = "redirect"
domains = "+ours"
file = "aliases"
`;

test("every name of an account leads to one Maildir, and goes on to Google as it was written", async () => {
  await using google = await startSink();
  await using relay = await startTestRelay({ config: workspaceConfig(google.port), files });
  using client = await relay.connect("127.0.0.9");
  const names = ["Bob.Smith@example.com", "bob.smith+lists@example.com"];
  await send(
    client,
    "<carol@example.net>",
    names.map((name) => `<${name}>`),
  );
  await relay.happened("message.completed");
  assert.deepEqual(google.messages[0]?.recipients, names);
  const copies = await relay.copies("mail/example.com/bob");
  assert.equal(copies.length, 1);
  assert.match(
    copies[0] ?? "",
    /^Envelope-to: Bob\.Smith@example\.com,\s+bob\.smith\+lists@example\.com$/m,
  );
});

test("a group is an account like any other", async () => {
  await using google = await startSink();
  await using relay = await startTestRelay({ config: workspaceConfig(google.port), files });
  using client = await relay.connect("127.0.0.9");
  await send(client, "<carol@example.net>", ["<team@example.com>", "<alice@example.com>"]);
  await relay.happened("message.completed");
  assert.deepEqual(
    google.messages.map(({ recipients }) => recipients),
    [["team@example.com", "alice@example.com"]],
  );
  for (const account of ["team", "alice"]) {
    assert.equal((await relay.copies(`mail/example.com/${account}`)).length, 1, account);
  }
});

test("an alias becomes its addresses; the copies tell where the mail was sent to", async () => {
  await using google = await startSink();
  const config = workspaceConfig(google.port).replace("[[routers]]", `${ALIASES}[[routers]]`);
  await using relay = await startTestRelay({ config, files });
  using client = await relay.connect("127.0.0.9");
  await send(client, "<carol@example.net>", ["<sales@example.com>"]);
  await relay.happened("message.completed");
  assert.deepEqual(
    google.messages.map(({ recipients }) => recipients),
    [["alice@example.com", "bob.smith@example.com"]],
  );
  for (const account of ["alice", "bob"]) {
    const [copy] = await relay.copies(`mail/example.com/${account}`);
    assert.match(copy ?? "", /^Envelope-to: sales@example\.com$/m, account);
  }
});

test("while the list of accounts cannot be read nobody is refused, and it is used as soon as it is back", async () => {
  await using google = await startSink();
  await using relay = await startTestRelay({ config: workspaceConfig(google.port), files });
  using client = await relay.connect("127.0.0.9");
  const list = join(relay.directory, "gmail_accounts");
  await rename(list, `${list}.away`);
  await begin(client, "<carol@example.net>");
  assert.match(await client.ask("RCPT TO:<alice@example.com>"), /^451 4\.3\.0 /);
  assert.match(await client.ask("RCPT TO:<nobody@example.com>"), /^451 4\.3\.0 /);
  await rename(`${list}.away`, list);
  // A machine that is busy may still be reading it: who is put off comes again.
  let reply = await client.ask("RCPT TO:<alice@example.com>");
  while (reply.startsWith("451 4.3.0 ")) reply = await client.ask("RCPT TO:<alice@example.com>");
  assert.match(reply, /^250 /);
  assert.match(await client.ask("RCPT TO:<nobody@example.com>"), /^550 5\.1\.1 /);
});

test("while the list of senders cannot be read their mail goes out, and its copy waits", async () => {
  await using world = await startSink();
  const config = workspaceConfig(world.port).replace(
    'sender_local_parts = "lsearch:gmail_accounts"',
    'sender_local_parts = "lsearch:senders"',
  );
  await using relay = await startTestRelay({ config, files });
  using client = await relay.connect();
  await send(client, "<alice@example.com>", ["<dave@example.org>"]);
  await world.waitFor(1);
  const [deferred] = await relay.happened("delivery.deferred");
  assert.equal(deferred?.router, "gmail_outgoing");
  assert.deepEqual(relay.log.named("message.completed"), []);
});
