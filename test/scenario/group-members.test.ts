// Mail for a group: a copy in the Maildir of the group and of each member, and one message to Google.

import assert from "node:assert/strict";
import { renameSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { askRelay } from "../../src/run/control/client.ts";
import { controlSocket } from "../../src/run/control/protocol.ts";
import { workspaceConfig } from "../support/build.ts";
import { startTestRelay } from "../support/relay.ts";
import { startSink } from "../support/sink.ts";
import { send } from "../support/transaction.ts";

const files = {
  gmail_accounts: "alice\nbob.smith: bob\nbob\nteam\nall\n",
  group_members:
    "team@example.com: alice@example.com, bob@example.com, eve@example.org\n" +
    "all@example.com: team@example.com, alice@example.com, all@example.com\n",
};

const config = (port: number) =>
  workspaceConfig(port).replace(
    'driver = "unseen-copy"',
    'driver = "unseen-copy"\nexpand = "lsearch:group_members"',
  );

const copied = (names: readonly string[]) => names.map((name) => `mail/example.com/${name}`);

test("each member has one copy, and Google gets the mail for the group once", async () => {
  await using google = await startSink();
  await using relay = await startTestRelay({ config: config(google.port), files });
  using client = await relay.connect("127.0.0.9");
  await send(client, "<dave@example.org>", ["<All@example.com>", "<alice@example.com>"]);
  await relay.happened("message.completed");
  const recipients = google.messages.flatMap((message) => message.recipients);
  assert.deepEqual(recipients, ["All@example.com", "alice@example.com"]);
  for (const maildir of copied(["all", "team", "alice", "bob"])) {
    assert.equal((await relay.copies(maildir)).length, 1, maildir);
  }
  const [alice] = await relay.copies("mail/example.com/alice");
  assert.match(alice ?? "", /^Envelope-to: All@example\.com,\s+alice@example\.com$/m);
  const [bob] = await relay.copies("mail/example.com/bob");
  assert.match(bob ?? "", /^Envelope-to: All@example\.com$/m);
  assert.deepEqual(await relay.copies("mail/example.org/eve").catch(() => []), []);
});

test("while the members cannot be read their copies wait, and all else goes on", async () => {
  await using google = await startSink();
  await using relay = await startTestRelay({ config: config(google.port), files });
  const list = join(relay.directory, "group_members");
  renameSync(list, `${list}.away`);
  using client = await relay.connect("127.0.0.9");
  await send(client, "<dave@example.org>", ["<team@example.com>"]);
  await google.waitFor(1);
  await relay.happened("delivery.deferred");
  assert.equal((await relay.copies("mail/example.com/team")).length, 1);
  renameSync(`${list}.away`, list);
  const [{ id } = { id: "" }] = relay.log.named("message.accepted");
  await askRelay(controlSocket(relay.configuration.relay), { action: "retry", ids: [id] });
  await relay.happened("message.completed");
  for (const maildir of copied(["team", "alice", "bob"])) {
    assert.equal((await relay.copies(maildir)).length, 1, maildir);
  }
  assert.equal(google.messages.length, 1);
});
