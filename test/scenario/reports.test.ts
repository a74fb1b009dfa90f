// Reports on their way: made by the relay, they go through its own chain like any mail, from <>.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { workspaceConfig } from "../support/build.ts";
import { manualClock } from "../support/clock.ts";
import { type TestRelay, startTestRelay } from "../support/relay.ts";
import { startSink, type SinkMessage } from "../support/sink.ts";
import type { Wire } from "../support/wire.ts";

const files = { gmail_accounts: "alice\npermfail\n" };

/** Sends one message; each recipient with what follows its address in RCPT. */
async function send(client: Wire, sender: string, ...recipients: string[]): Promise<void> {
  await client.ask("EHLO client.example.net");
  assert.match(await client.ask(`MAIL FROM:${sender}`), /^250 /);
  for (const recipient of recipients) {
    assert.match(await client.ask(`RCPT TO:${recipient}`), /^250 /, recipient);
  }
  await client.ask("DATA");
  assert.match(
    await client.ask("Subject: hello\r\nMessage-ID: <1@example>\r\n\r\nhello\r\n."),
    /^250 /,
  );
}

/** What the report says of each recipient, "failed bob@example.net", sorted: answers come in any order. */
function actions(raw: Buffer | string): string[] {
  const pattern = /^Final-Recipient: rfc822; (\S+)\r?\nAction: (\w+)/gm;
  const found = [...raw.toString().matchAll(pattern)];
  return found
    .map(([, address, action]) => `${action} ${address}`)
    .toSorted((a, b) => a.localeCompare(b));
}

function isReport({ raw }: SinkMessage): boolean {
  return raw.includes("report-type=delivery-status");
}

/** All that came in or was made here has ended; a report is logged before the end of what it reports. */
async function finished(relay: TestRelay, messages: number): Promise<void> {
  await relay.happened("message.completed", messages);
  const origins = ["message.accepted", "message.bounced", "message.reported"] as const;
  const begun = origins.flatMap((name) => relay.log.named(name).map(({ id }) => `${name} ${id}`));
  assert.equal(begun.length, messages, begun.join(", "));
}

test("a bounce to an account of ours goes into its Maildir and to Google, one for all failures", async () => {
  await using google = await startSink();
  await using world = await startSink();
  const config = workspaceConfig(google.port, world.port);
  await using relay = await startTestRelay({ config, files });
  using client = await relay.connect();
  await send(
    client,
    "<alice@example.com> RET=HDRS ENVID=id+2B1",
    "<permfail@example.org> ORCPT=rfc822;perm+2Bfail@example.org",
    "<bob@example.org>",
    "<permfail@example.net>",
    "<quiet@example.org> NOTIFY=NEVER",
  );
  await finished(relay, 2);

  const [bounce, ...others] = google.messages;
  assert.deepEqual(others, []);
  assert.ok(bounce);
  assert.equal(bounce.sender, "");
  assert.deepEqual(bounce.recipients, ["alice@example.com"]);
  assert.deepEqual(actions(bounce.raw), [
    "failed permfail@example.net",
    "failed permfail@example.org",
  ]);
  const text = bounce.raw.toString();
  assert.match(text, /^To: alice@example\.com\r$/m);
  assert.match(text, /^Auto-Submitted: auto-replied\r$/m);
  assert.match(text, /^In-Reply-To: <1@example>\r$/m);
  assert.match(text, /^Original-Envelope-Id: id\+1\r$/m);
  assert.match(text, /^Original-Recipient: rfc822; perm\+fail@example\.org\r$/m);
  assert.match(text, /^Diagnostic-Code: smtp; 550 5\.1\.1 no such user here\r$/m);
  assert.match(text, /^Content-Type: text\/rfc822-headers\r$/m);

  const [copy] = await relay.copies("mail/example.com/alice");
  assert.match(copy ?? "", /^Return-path: <>\nEnvelope-to: alice@example\.com\n/);
  assert.ok(copy?.endsWith(text.replaceAll("\r\n", "\n")));
  // A report has no sender, so it is in nobody's .Sent folder.
  assert.equal((await relay.copies("mail/example.com/alice/.Sent")).length, 1);
});

/** The stranger at 127.0.0.9 is who he says. */
const dns = { "example.net": { TXT: ["v=spf1 ip4:127.0.0.9 -all"] } };

test("a bounce to a stranger leaves as his mail came", async () => {
  await using google = await startSink();
  await using world = await startSink();
  const config = workspaceConfig(google.port, world.port);
  await using relay = await startTestRelay({ config, files, dns });
  using client = await relay.connect("127.0.0.9");
  await send(client, "<carol@example.net>", "<permfail@example.com>");
  await finished(relay, 2);
  assert.deepEqual(
    world.messages.map(({ sender, recipients, raw }) => [sender, recipients, actions(raw)]),
    [["", ["carol@example.net"], ["failed permfail@example.com"]]],
  );
  assert.deepEqual(await relay.copies("mail/example.com/alice"), []);
});

test("a bounce that fails is frozen, and nobody is told but the postmaster", async () => {
  await using google = await startSink();
  await using world = await startSink();
  const config = workspaceConfig(google.port, world.port);
  await using relay = await startTestRelay({ config, files, dns });
  using client = await relay.connect("127.0.0.9");
  await send(client, "<permfail@example.net>", "<permfail@example.com>");
  const [bounced] = await relay.happened("message.bounced");
  const [frozen] = await relay.happened("message.frozen");
  assert.equal(frozen?.id, bounced?.report);
  assert.deepEqual(world.messages, []);
  assert.deepEqual(world.attempted, ["permfail@example.net"]);
  assert.equal(relay.log.named("message.bounced").length, 1);
});

test("NOTIFY=SUCCESS is passed on to a host that takes it, and then it is silent here", async () => {
  await using world = await startSink();
  await using google = await startSink();
  const config = workspaceConfig(google.port, world.port);
  await using relay = await startTestRelay({ config, files });
  using client = await relay.connect();
  await send(
    client,
    "<alice@example.com> RET=FULL ENVID=x",
    "<bob@example.org> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;bob@example.org",
  );
  await finished(relay, 1);
  const [relayed] = world.messages;
  assert.deepEqual(relayed?.rcpt[0]?.notify, ["SUCCESS", "FAILURE"]);
  assert.deepEqual([relayed.ret, relayed.envid], ["FULL", "x"]);
  assert.deepEqual(google.messages, []);
});

test("for a host that knows no DSN, NOTIFY=SUCCESS is answered with relayed", async () => {
  await using world = await startSink({ server: { hideDSN: true } });
  await using google = await startSink();
  const config = workspaceConfig(google.port, world.port);
  await using relay = await startTestRelay({ config, files });
  using client = await relay.connect();
  await send(
    client,
    "<alice@example.com>",
    "<bob@example.org> NOTIFY=SUCCESS",
    "<dan@example.org>",
  );
  await finished(relay, 2);
  assert.deepEqual(
    google.messages.map(({ raw }) => actions(raw)),
    [["relayed bob@example.org"]],
  );
});

const AT_HOME = `
[domains]
ours = ["example.com"]
[gate]
local_domains = "+ours"
[[gate.relay]]
hosts = "127.0.0.1"
sender_domains = "*"
[[routers]]
name = "aliases"
driver = "redirect"
domains = "+ours"
file = "aliases"
[[routers]]
name = "copy"
driver = "unseen-copy"
domains = "+ours"
local_parts = "lsearch:gmail_accounts"
transport = "archive"
[[routers]]
name = "home"
driver = "accept"
domains = "+ours"
local_parts = "lsearch:gmail_accounts"
transport = "maildir"
[[routers]]
name = "world"
driver = "manualroute"
domains = ["!+ours"]
route = ["127.0.0.1:PORT"]
transport = "remote_smtp"
[transports.remote_smtp]
driver = "smtp"
[transports.maildir]
driver = "maildir-append"
directory = "mail/{domain}/{local_part}"
[transports.archive]
driver = "maildir-append"
directory = "archive/{domain}/{local_part}"
`;

test("what ends in a Maildir of ours is delivered; each address of an alias for itself, copies not", async () => {
  await using world = await startSink();
  const config = AT_HOME.replace("PORT", String(world.port));
  const aliases = "team: alice, permfail\n";
  await using relay = await startTestRelay({ config, files: { ...files, aliases } });
  using client = await relay.connect();
  await send(
    client,
    "<carol@example.net>",
    "<team@example.com> NOTIFY=SUCCESS ORCPT=rfc822;team@example.com",
    "<alice@example.com> NOTIFY=FAILURE",
  );
  await finished(relay, 2);
  const [report, ...others] = world.messages;
  assert.deepEqual(others, []);
  assert.ok(report !== undefined && isReport(report));
  assert.deepEqual(actions(report.raw), [
    "delivered alice@example.com",
    "delivered permfail@example.com",
  ]);
  assert.equal(report.raw.toString().match(/^Original-Recipient: rfc822; team@/gm)?.length, 2);
  assert.doesNotMatch(report.raw.toString(), /archive|mail\//);
  assert.equal((await relay.copies("archive/example.com/alice")).length, 1);
});

/** Nothing is under way, and the next attempt is at `next`: a leap of the clock runs into no deadline. */
async function settled(relay: TestRelay, next: number): Promise<void> {
  const until = AbortSignal.timeout(10_000);
  while ((await relay.relay.spool.nextDue()) !== next)
    await setImmediate(undefined, { signal: until });
  await relay.happened("message.completed", relay.log.named("message.reported").length);
}

test("a delay is told once at each time of warn_after, and at the end the failure", async () => {
  await using google = await startSink();
  await using world = await startSink();
  const clock = manualClock();
  const config = `${workspaceConfig(google.port, world.port)}
[[retry]]
match = "*"
rules = "F,3d,12h"
[bounce]
warn_after = ["20h", "44h"]
`;
  await using relay = await startTestRelay({ config, files, clock });
  using client = await relay.connect();
  await send(client, "<alice@example.com>", "<tempfail@example.org>", "<bob@example.org>");
  // At 0, 12, 24, 36, 48 and 60 hours, or a little later; the last one, at 72 hours, fails.
  for (let attempts = 1; attempts <= 6; attempts++) {
    const deferred = await relay.happened("delivery.deferred", attempts);
    const next = Date.parse(deferred.at(-1)?.next_attempt ?? "");
    await settled(relay, next);
    clock.advance(next - clock.now());
    relay.relay.queue.wake();
  }
  await relay.happened("message.completed", 4);
  assert.deepEqual(
    google.messages.map(({ raw }) => actions(raw)),
    [
      ["delayed tempfail@example.org"],
      ["delayed tempfail@example.org"],
      ["failed tempfail@example.org"],
    ],
  );
  const [warning, , bounce] = google.messages.map(({ raw }) => raw.toString());
  assert.match(warning ?? "", /^Will-Retry-Until: Sun, 04 Jan 2026 00:00:0\d \+0000\r$/m);
  assert.match(bounce ?? "", /We\s+tried for 3 days\./);
});
