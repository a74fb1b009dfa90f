// What Google says to a gateway, and what the relay makes of it without a word in the configuration.

import assert from "node:assert/strict";
import { test } from "node:test";
import { workspaceConfig } from "../support/build.ts";
import { answeringServer } from "../support/answering.ts";
import { startTestRelay, type TestRelay } from "../support/relay.ts";
import { send } from "../support/transaction.ts";

const MINUTE = 60_000;
const files = { gmail_accounts: "alice\nbob\ncarol\ndave\nerin\n" };
const dns = { "aspmx.l.google.com": { A: ["127.0.0.1"] } } as const;

function googleAt(port: number): string {
  return workspaceConfig(port).replace('hosts = ["127.0.0.1', 'hosts = ["aspmx.l.google.com');
}

function startRelay(port: number): Promise<TestRelay> {
  return startTestRelay({ config: googleAt(port), files, dns });
}

/** One message to these accounts. */
async function post(relay: TestRelay, ...accounts: readonly string[]): Promise<void> {
  using client = await relay.connect("127.0.0.9");
  const recipients = accounts.map((account) => `<${account}@example.com>`);
  await send(client, "<zoe@example.net>", recipients);
}

function minutesUntil(time: string): number {
  return (Date.parse(time) - Date.now()) / MINUTE;
}

test("450 4.2.1: one account gets mail too fast, and nobody else waits for it", async () => {
  await using google = await answeringServer((recipient) =>
    recipient.startsWith("bob") ? "450 4.2.1 receiving mail too quickly" : undefined,
  );
  await using relay = await startRelay(google.port);
  await post(relay, "alice", "bob");
  const [deferred] = await relay.happened("delivery.deferred");
  assert.equal(deferred?.recipient, "bob@example.com");
  const wait = minutesUntil(deferred.next_attempt);
  assert.ok(wait > 4 && wait < 6, `${wait} minutes`);
  assert.deepEqual(google.taken, [["alice@example.com"]]);

  // Other mail for it waits with it, the other account's does not.
  await post(relay, "bob");
  await post(relay, "alice");
  await google.taking(2);
  assert.deepEqual(google.asked, ["alice@example.com", "bob@example.com", "alice@example.com"]);
  assert.equal(relay.log.named("delivery.deferred").length, 1);
  assert.equal((await relay.copies("mail/example.com/bob")).length, 2);
});

test("452 4.2.2: a full mailbox is tried again after hours", async () => {
  await using google = await answeringServer(() => "452 4.2.2 over quota");
  await using relay = await startRelay(google.port);
  await post(relay, "alice");
  const [deferred] = await relay.happened("delivery.deferred");
  assert.match(deferred?.status ?? "", /^452 4\.2\.2 /);
  const wait = minutesUntil(deferred?.next_attempt ?? "");
  assert.ok(wait > 200 && wait < 300, `${wait} minutes`);
});

test("452 4.5.3: the message goes out in several transactions, at once", async () => {
  await using google = await answeringServer((_, before) =>
    before < 2 ? undefined : "452 4.5.3 too many recipients",
  );
  await using relay = await startRelay(google.port);
  await post(relay, "alice", "bob", "carol", "dave", "erin");
  await relay.happened("message.completed");
  assert.deepEqual(google.taken, [
    ["alice@example.com", "bob@example.com"],
    ["carol@example.com", "dave@example.com"],
    ["erin@example.com"],
  ]);
  assert.deepEqual(relay.log.named("delivery.deferred"), []);
});

test("421 4.7.0 not in whitelist: an alarm, once an hour and not for every message", async () => {
  await using google = await answeringServer(
    () => "421 4.7.0 IP not in whitelist for RCPT domain, closing connection",
  );
  await using relay = await startRelay(google.port);
  await post(relay, "alice");
  const [alarm] = await relay.happened("alarm");
  assert.match(alarm?.what ?? "", /inbound gateway/);
  for (const account of ["bob", "carol"]) await post(relay, account);
  // What is said to one recipient holds up no other.
  await relay.happened("delivery.deferred", 3);
  await relay.stop();
  assert.equal(relay.log.named("alarm").length, 1);
  assert.equal(google.connections, 3);
});

test("421 4.7.28: an alarm, and the message waits for an hour, with nobody else", async () => {
  const words = "421 4.7.28 unusual rate of unsolicited mail originating from your IP address";
  await using google = await answeringServer(
    () => undefined,
    () => true,
    ([recipient]) => (recipient?.startsWith("alice") === true ? words : undefined),
  );
  await using relay = await startRelay(google.port);
  await post(relay, "alice");
  const [alarm] = await relay.happened("alarm");
  assert.match(alarm?.what ?? "", /unsolicited/);
  const wait = minutesUntil(relay.log.named("delivery.deferred")[0]?.next_attempt ?? "");
  assert.ok(wait > 58 && wait < 65, `${wait} minutes`);
  await post(relay, "bob");
  await google.taking(1);
  assert.deepEqual(google.taken, [["bob@example.com"]]);
});

test("a row of the configuration stands before the built-in one", async () => {
  await using google = await answeringServer(() => "450 4.2.1 receiving mail too quickly");
  const row = `
[[replies]]
hosts = ["aspmx.l.google.com"]
reply = "450 4.2.1 too quickly"
rules = "F,2d,42m"
alarm = "look at it"
`;
  await using relay = await startTestRelay({ config: googleAt(google.port) + row, files, dns });
  await post(relay, "alice");
  const [alarm] = await relay.happened("alarm");
  assert.equal(alarm?.what, "look at it");
  const wait = minutesUntil(relay.log.named("delivery.deferred")[0]?.next_attempt ?? "");
  assert.ok(wait > 41 && wait < 45, `${wait} minutes`);
});
