// Addresses and commands that no grammar grants and that other servers take: the mail arrives, under the one spelling
// that everybody behind us reads alike.

import assert from "node:assert/strict";
import { test } from "node:test";
import { workspaceConfig } from "../support/build.ts";
import { startTestRelay } from "../support/relay.ts";
import { startSink } from "../support/sink.ts";
import { say, send } from "../support/transaction.ts";

const files = {
  gmail_accounts: "alice\njean.\njo..ann\n..: ..\n.hidden\n",
  aliases: "old: .jean.@example.net, jo..ann\n",
};

const ALIASES = `[[routers]]
name = "aliases"
driver = "redirect"
domains = "+ours"
file = "aliases"
`;

const STRANGER = "127.0.0.9";

test("dots anywhere in a local part pass as they came, and their accounts have copies", async () => {
  await using google = await startSink();
  await using relay = await startTestRelay({ config: workspaceConfig(google.port), files });
  using client = await relay.connect(STRANGER);
  const names = ["Jean.@example.com", "jo..ann+x@example.com"];
  await send(
    client,
    "<..carol..@example.net>",
    names.map((name) => `<${name}>`),
  );
  await relay.happened("message.completed");
  assert.deepEqual(google.messages[0]?.recipients, names);
  assert.equal(google.messages[0]?.sender, "..carol..@example.net");
  for (const account of ["jean.", "jo..ann"]) {
    assert.equal((await relay.copies(`mail/example.com/${account}`)).length, 1, account);
  }
});

test("a name with other dots is another name", async () => {
  await using google = await startSink();
  await using relay = await startTestRelay({ config: workspaceConfig(google.port), files });
  using client = await relay.connect(STRANGER);
  await client.ask("EHLO client.example.net");
  await client.ask("MAIL FROM:<carol@example.net>");
  for (const name of ["jean", "alice.", ".alice", "jo.ann", "."]) {
    assert.match(await client.ask(`RCPT TO:<${name}@example.com>`), /^550 5\.1\.1 /, name);
  }
});

test("a name that is no safe directory has no copy, and its mail goes on", async () => {
  await using google = await startSink();
  await using relay = await startTestRelay({ config: workspaceConfig(google.port), files });
  using client = await relay.connect(STRANGER);
  await send(client, "<carol@example.net>", ["<..@example.com>", "<.hidden@example.com>"]);
  const frozen = await relay.happened("delivery.frozen", 2);
  assert.deepEqual(
    frozen.map(({ recipient }) => recipient).toSorted((a, b) => a.localeCompare(b)),
    ["..@example.com", ".hidden@example.com"],
  );
  await google.waitFor(1);
  assert.deepEqual(google.messages[0]?.recipients, ["..@example.com", ".hidden@example.com"]);
});

test("an alias leads to such an address too", async () => {
  await using google = await startSink();
  const config = workspaceConfig(google.port).replace("[[routers]]", `${ALIASES}[[routers]]`);
  await using relay = await startTestRelay({
    config: config.replace('domains = ["!+ours"]', 'domains = ["*"]'),
    files,
  });
  using client = await relay.connect(STRANGER);
  await send(client, "<carol@example.net>", ["<old@example.com>"]);
  await google.waitFor(2);
  assert.deepEqual(google.messages.flatMap(({ recipients }) => recipients).toSorted(), [
    ".jean.@example.net",
    "jo..ann@example.com",
  ]);
});

test("sloppy commands carry a message, in one canonical spelling", async () => {
  await using google = await startSink();
  await using relay = await startTestRelay({ config: workspaceConfig(google.port), files });
  using client = await relay.connect(STRANGER);
  assert.match(await client.ask("ehlo\t[IPv6:fe80::1%eth0]  "), /^250/);
  assert.match(await client.ask("MAIL  from : carol@sub-.example.net-\tBODY=8bitmime"), /^250 /);
  assert.match(await client.ask("rcpt TO:\talice@example.com \t NOTIFY=never"), /^250 /);
  assert.match(await say(client), /^250 /);
  const [message] = await google.waitFor(1);
  assert.equal(message?.sender, "carol@sub-.example.net-");
  assert.deepEqual(message?.recipients, ["alice@example.com"]);
  assert.match(
    message?.raw.toString("latin1") ?? "",
    /^Received: from \[IPv6:fe80::1\] \(\[127\.0\.0\.9\]\)\r\n/,
  );
});

test("what decorates a report goes on in capital hex digits, or is dropped with a line in the log", async () => {
  await using google = await startSink();
  await using relay = await startTestRelay({ config: workspaceConfig(google.port), files });
  using client = await relay.connect();
  await send(client, "<carol@example.net> ENVID=a+3db", [
    "<alice@example.com> ORCPT=rfc822;alice+2bx@example.com",
    "<jean.@example.com> ORCPT=rfc822;alice+lists@example.com",
  ]);
  const [message] = await google.waitFor(1);
  // The sink decodes both, and knows capital digits only.
  assert.equal(message?.envid, "a=b");
  assert.deepEqual(
    message?.rcpt.map(({ orcpt }) => orcpt),
    ["rfc822;alice+x@example.com", undefined],
  );
  assert.deepEqual(relay.log.named("session.parameter_dropped"), [
    {
      client: "127.0.0.1",
      command: "RCPT",
      parameters: ["ORCPT=rfc822;alice+lists@example.com"],
    },
  ]);
});
