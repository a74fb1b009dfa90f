// A relay that syncs its accounts: the files are there soon after the start, and mail follows them without a reload.

import assert from "node:assert/strict";
import { test } from "node:test";
import { workspaceConfig } from "../support/build.ts";
import { manualClock } from "../support/clock.ts";
import { startGoogle } from "../support/google.ts";
import { startTestRelay } from "../support/relay.ts";
import { startSink } from "../support/sink.ts";
import { begin, say, send } from "../support/transaction.ts";

test("accounts of the directory have mail and copies, and no secret is in the log", async () => {
  await using directory = await startGoogle();
  directory.users = [{ primaryEmail: "alice@example.com" }, { primaryEmail: "bob@example.com" }];
  directory.groups = [{ email: "team@example.com" }];
  directory.members = { "team@example.com": [{ type: "USER", email: "alice@example.com" }] };
  await using google = await startSink();
  const config = workspaceConfig(google.port)
    .replaceAll("lsearch:gmail_accounts", "lsearch:accounts/{domain}")
    .replace('driver = "unseen-copy"', 'driver = "unseen-copy"\nexpand = "lsearch:group_members"');
  const accounts = `[accounts]
key_file = "key.json"
subject = "admin@example.com"
domains = ["example.com"]
file = "accounts/{domain}"
group_members = "group_members"
interval = "1s"
shrink_limit = "50%"
removal_delay = "0s"
api = "${directory.base}"
`;
  await using relay = await startTestRelay({
    config: `${config}${accounts}`,
    files: { "key.json": directory.keyFile() },
  });
  await relay.happened("accounts.synced");
  using client = await relay.connect("127.0.0.9");
  await send(client, "<dave@example.org>", ["<team@example.com>"]);
  await relay.happened("message.completed");
  for (const account of ["team", "alice"]) {
    assert.equal((await relay.copies(`mail/example.com/${account}`)).length, 1, account);
  }
  directory.users = [{ primaryEmail: "alice@example.com" }, { primaryEmail: "zoe@example.com" }];
  const changed = relay.log.named("accounts.synced").length + 2;
  await relay.happened("accounts.synced", changed);
  await client.ask("MAIL FROM:<dave@example.org>");
  assert.match(await client.ask("RCPT TO:<zoe@example.com>"), /^250 /);
  assert.match(await client.ask("RCPT TO:<bob@example.com>"), /^550 5\.1\.1 /);
  directory.users = [];
  await relay.happened("alarm");
  assert.match(relay.log.named("alarm")[0]?.what ?? "", /no user with an address in example\.com/);
  assert.match(await client.ask("RCPT TO:<alice@example.com>"), /^250 /);
  const logged = JSON.stringify(relay.log.events);
  for (const secret of directory.secrets) assert.ok(!logged.includes(secret));
});

for (const cutThrough of [false, true]) {
  test(`a refusal of an unknown user by Google asks for a sync; cut-through: ${cutThrough}`, async () => {
    await using directory = await startGoogle();
    directory.users = [
      { primaryEmail: "alice@example.com" },
      { primaryEmail: "permfail@example.com" },
    ];
    // Its answer to this user is 550 5.1.1.
    await using google = await startSink();
    const clock = manualClock(Date.now());
    const config = workspaceConfig(google.port)
      .replaceAll("lsearch:gmail_accounts", "lsearch:accounts/{domain}")
      .replace('driver = "accept"', `driver = "accept"\ncutthrough = ${cutThrough}`);
    const accounts = `[accounts]
key_file = "key.json"
domains = ["example.com"]
file = "accounts/{domain}"
interval = "1d"
api = "${directory.base}"
`;
    await using relay = await startTestRelay({
      config: `${config}${accounts}`,
      files: { "key.json": directory.keyFile() },
      clock,
    });
    clock.advance(0);
    await relay.happened("accounts.synced");
    using client = await relay.connect("127.0.0.9");
    await begin(client, "<dave@example.org>");
    assert.match(await client.ask("RCPT TO:<permfail@example.com>"), /^250 /);
    assert.match(await say(client), cutThrough ? /^550 5\.1\.1 / : /^250 /);
    await relay.happened("delivery.failed");
    const asked = directory.requests.length;
    clock.advance(61_000);
    await relay.happened("accounts.synced", 2);
    assert.ok(directory.requests.length > asked);
  });
}
