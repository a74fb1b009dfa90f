// What cannot be done now is done later: a host that is down, a Maildir in the way, a relay that is restarted.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { workspaceConfig } from "../support/build.ts";
import { type ManualClock, manualClock } from "../support/clock.ts";
import { freePort } from "../support/relay-process.ts";
import { startTestRelay, type TestRelay } from "../support/relay.ts";
import { greet, scriptedServer, startSink } from "../support/sink.ts";
import { begin, LETTER, send } from "../support/transaction.ts";

const files = { gmail_accounts: "alice\n" };
const MINUTE = 60_000;

/** Lets time go by, but not while the relay is busy, until this has happened. */
async function waiting<T>(
  clock: ManualClock,
  { relay }: TestRelay,
  happened: Promise<T>,
): Promise<T> {
  const over = new AbortController();
  void happened.finally(() => over.abort()).catch(() => undefined);
  while (!over.signal.aborted) {
    if (relay.queue.activeCount === 0) clock.advance(MINUTE);
    await setTimeout(1);
  }
  return happened;
}

/** A file where the directory of the account should be. */
async function obstruct(relay: TestRelay, domain = "example.com"): Promise<string> {
  const directory = join(relay.directory, "mail", domain);
  await mkdir(directory, { recursive: true });
  const obstacle = join(directory, "alice");
  await writeFile(obstacle, "in the way");
  return obstacle;
}

describe("a host that is down", () => {
  test("gets the mail when it is back, once, and the copy is not made again", async () => {
    const port = await freePort();
    const clock = manualClock(Date.now());
    await using relay = await startTestRelay({ config: workspaceConfig(port), files, clock });
    using client = await relay.connect("127.0.0.9");
    await send(client, "<carol@example.net>", ["<alice@example.com>"]);
    const [deferred] = await relay.happened("delivery.deferred");
    assert.match(deferred?.status ?? "", /^451 4\.4\.1 /);

    await using google = await startSink({ port });
    await waiting(clock, relay, relay.happened("message.completed"));
    assert.equal(google.messages.length, 1);
    assert.equal((await relay.copies("mail/example.com/alice")).length, 1);
    assert.deepEqual(relay.log.named("message.bounced"), []);
  });

  test("gets it from the relay that is started next, too", async () => {
    const port = await freePort();
    const directory = await mkdtemp(join(tmpdir(), "unseen-restart-"));
    const options = { config: workspaceConfig(port), files, directory };
    {
      await using before = await startTestRelay(options);
      using client = await before.connect("127.0.0.9");
      await send(client, "<carol@example.net>", ["<alice@example.com>"]);
      await before.happened("delivery.deferred");
    }
    await using google = await startSink({ port });
    const clock = manualClock(Date.now());
    {
      await using after = await startTestRelay({ ...options, clock });
      assert.deepEqual(after.log.named("relay.started")[0]?.queued, 1);
      await waiting(clock, after, after.happened("message.completed"));
      assert.equal((await after.copies("mail/example.com/alice")).length, 1);
    }
    assert.ok(google.messages[0]?.raw.toString().endsWith(LETTER));
    await rm(directory, { recursive: true });
  });
});

describe("a Maildir that cannot be written", () => {
  test("holds up only the copy: it is made when the way is free, and the mail is not sent again", async () => {
    await using google = await startSink();
    const clock = manualClock(Date.now());
    await using relay = await startTestRelay({
      config: workspaceConfig(google.port),
      files,
      clock,
    });
    const obstacle = await obstruct(relay);
    using client = await relay.connect("127.0.0.9");
    await send(client, "<carol@example.net>", ["<alice@example.com>"]);
    await google.waitFor(1);
    await relay.happened("delivery.deferred");
    assert.equal(await relay.relay.spool.count(), 1);

    await rm(obstacle);
    await waiting(clock, relay, relay.happened("message.completed"));
    const [copy, ...others] = await relay.copies("mail/example.com/alice");
    assert.match(copy ?? "", /^Return-path: <carol@example\.net>\n/);
    assert.deepEqual([others, google.messages.length], [[], 1]);
  });

  test("is written to once for two recipients that share it", async () => {
    await using google = await startSink();
    const clock = manualClock(Date.now());
    // With a random part of minutes in each interval.
    const config = `${workspaceConfig(google.port)}[[retry]]\nmatch = "*"\nrules = "F,8h,2h"\n`;
    await using relay = await startTestRelay({ config, files, clock });
    const obstacle = await obstruct(relay);
    using client = await relay.connect("127.0.0.9");
    const both = ["<alice@example.com>", "<alice+lists@example.com>"];
    await send(client, "<carol@example.net>", both);
    await relay.happened("delivery.deferred", 2);
    await rm(obstacle);
    await waiting(clock, relay, relay.happened("message.completed"));
    const [copy, ...others] = await relay.copies("mail/example.com/alice");
    assert.match(copy ?? "", /^Envelope-to: alice@example\.com, alice\+lists@example\.com\n/m);
    assert.deepEqual(others, []);
  });

  test("and a host that is down each have their own time", async () => {
    const port = await freePort();
    const clock = manualClock(Date.now());
    const own = `[[retry]]\nmatch = "*"\nerrors = ["refused"]\nrules = "F,4h,1h"\n`;
    const rest = `[[retry]]\nmatch = "*"\nrules = "F,1h,10m"\n`;
    const config = `${workspaceConfig(port)}${own}${rest}`;
    await using relay = await startTestRelay({ config, files, clock });
    const obstacle = await obstruct(relay);
    using client = await relay.connect("127.0.0.9");
    await send(client, "<carol@example.net>", ["<alice@example.com>"]);
    await relay.happened("delivery.deferred", 2);
    await waiting(clock, relay, relay.happened("delivery.deferred", 4));
    const tried = relay.log.named("delivery.deferred").map(({ transport }) => transport);
    assert.deepEqual(tried.toSorted(), [
      "gmail",
      "gmail_local_delivery",
      "gmail_local_delivery",
      "gmail_local_delivery",
    ]);

    await rm(obstacle);
    await waiting(clock, relay, relay.happened("delivery.done"));
    assert.equal((await relay.copies("mail/example.com/alice")).length, 1);
    await using google = await startSink({ port });
    await waiting(clock, relay, relay.happened("message.completed"));
    assert.equal((await relay.copies("mail/example.com/alice")).length, 1);
    assert.equal(google.messages.length, 1);
    assert.deepEqual(relay.log.named("message.bounced"), []);
  });

  test("bounces nothing, though the account is gone when the copy is tried again", async () => {
    await using google = await startSink();
    const clock = manualClock(Date.now());
    await using relay = await startTestRelay({
      config: workspaceConfig(google.port),
      files,
      clock,
    });
    await obstruct(relay);
    using client = await relay.connect("127.0.0.9");
    await send(client, "<carol@example.net>", ["<alice@example.com>"]);
    await relay.happened("delivery.done");
    await relay.happened("delivery.deferred");
    await writeFile(join(relay.directory, "gmail_accounts"), "bob\n");
    await waiting(clock, relay, relay.happened("message.completed"));
    assert.deepEqual(relay.log.named("message.bounced"), []);
    assert.deepEqual(relay.log.named("delivery.failed"), []);
  });

  test("is frozen at the end of its rules, and nobody outside is told", async () => {
    await using google = await startSink();
    const clock = manualClock(Date.now());
    const config = `${workspaceConfig(google.port)}[[retry]]\nmatch = "*"\nrules = "F,1h,30m"\n`;
    await using relay = await startTestRelay({ config, files, clock });
    await obstruct(relay);
    using client = await relay.connect("127.0.0.9");
    await send(client, "<carol@example.net>", ["<alice@example.com>"]);
    await relay.happened("delivery.done");
    await waiting(clock, relay, relay.happened("message.frozen"));
    assert.deepEqual(relay.log.named("message.bounced"), []);
    assert.equal(google.messages.length, 1);
  });
});

test("an account whose name is no file name freezes the copy with an alarm; the mail goes on", async () => {
  await using google = await startSink();
  const unsafe = { gmail_accounts: "alice: ../../etc\n" };
  await using relay = await startTestRelay({ config: workspaceConfig(google.port), files: unsafe });
  using client = await relay.connect("127.0.0.9");
  await send(client, "<carol@example.net>", ["<alice@example.com>"]);
  await google.waitFor(1);
  const [frozen] = await relay.happened("delivery.frozen");
  assert.equal(frozen?.router, "gmail_users");
  await relay.happened("message.frozen");
  assert.equal(relay.log.named("relay.error").length, 1);
});

describe("a relay that is stopped", () => {
  test("lets a transaction under way end, takes no other, and delivers what it took", async () => {
    await using google = await startSink();
    await using relay = await startTestRelay({ config: workspaceConfig(google.port), files });
    using client = await relay.connect("127.0.0.9");
    await begin(client, "<carol@example.net>");
    await client.ask("RCPT TO:<alice@example.com>");
    assert.match(await client.ask("DATA"), /^354 /);
    client.send(LETTER);
    const stopped = relay.stop();
    await assert.rejects(relay.connect("127.0.0.9"));
    assert.match(await client.ask("."), /^250 /);
    assert.match(await client.reply(), /^421 4\.3\.2 /);
    await stopped;
    assert.equal(google.messages.length, 1);
    assert.equal((await relay.copies("mail/example.com/alice")).length, 1);
  });

  test("cuts what takes too long, and the next one has the message", async () => {
    const reached = Promise.withResolvers<void>();
    await using google = await scriptedServer(async (peer) => {
      await greet(peer);
      await peer.readLine();
      reached.resolve();
      await peer.closed();
    });
    const directory = await mkdtemp(join(tmpdir(), "unseen-stop-"));
    const options = { config: workspaceConfig(google.port), files, directory };
    {
      await using before = await startTestRelay(options);
      using client = await before.connect("127.0.0.9");
      await send(client, "<carol@example.net>", ["<alice@example.com>"]);
      await client.ask("QUIT");
      await reached.promise;
      await before.stop(50);
      assert.equal(before.log.named("delivery.deferred").length, 1);
    }
    await using after = await startTestRelay(options);
    assert.equal(after.log.named("relay.started")[0]?.queued, 1);
    assert.equal((await after.copies("mail/example.com/alice")).length, 1);
    await after.stop(50);
    await rm(directory, { recursive: true });
  });
});
