// A host that is down, for the whole relay: new mail waits with the old, over a restart too, and all of it goes when
// the host is back.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { openQueueFile } from "../../src/spool/sqlite/queue-file.ts";
import type { Spool, StoredRecipient } from "../../src/spool/spool.ts";
import { workspaceConfig } from "../support/build.ts";
import { answeringServer } from "../support/answering.ts";
import { manualClock } from "../support/clock.ts";
import { flood } from "../support/flood.ts";
import { startTestRelay, type TestRelay } from "../support/relay.ts";

const files = { gmail_accounts: "alice\nbob\n" };
const MINUTE = 60_000;

function post(relay: TestRelay, count = 1, account = "alice"): Promise<void> {
  const recipient = () => `${account}@example.com`;
  return flood(relay, { sender: "zoe@example.net", recipient, count, from: "127.0.0.9" });
}

const toAlice = (): string => "alice@example.com";

/** For a clock of the test's: it passes minutes while a list file is read, which would then count as one that hangs. */
function withoutFiles(port: number): string {
  return workspaceConfig(port).replaceAll('"lsearch:gmail_accounts"', '["alice", "bob"]');
}

async function isDue(spool: Spool, clock: Clock): Promise<boolean> {
  const next = await spool.nextDue();
  return next !== undefined && next <= clock.now();
}

/** What is stored of all recipients, as soon as nothing is due and nothing under attempt. */
async function waiting(relay: TestRelay, clock: Clock = systemClock): Promise<StoredRecipient[]> {
  const { spool, queue } = relay.relay;
  for (let round = 0; queue.activeCount > 0 || (await isDue(spool, clock)); round++) {
    assert.ok(round < 1000, "it never ends");
    await setTimeout(10);
  }
  await using file = openQueueFile(join(relay.directory, "spool"));
  const pages = file?.messages({}, (id, why) => assert.fail(`${id}: ${why}`)) ?? [];
  return (await Array.fromAsync(pages)).flat().flatMap(({ recipients }) => recipients);
}

test("a message for a host that is down is not tried, and nothing is logged of it", async () => {
  await using dead = await answeringServer(undefined, () => false);
  await using relay = await startTestRelay({ config: workspaceConfig(dead.port), files });
  await post(relay);
  await relay.happened("delivery.deferred");
  await post(relay, 5);
  const [first, ...others] = await waiting(relay);
  assert.equal(dead.connections, 1);
  assert.equal(first?.attempts, 1);
  assert.equal(others.length, 5);
  for (const one of others) {
    // The copy was made; that is no attempt of the mail.
    assert.equal(one.attempts, 0);
    assert.deepEqual(one.waitsFor, first.waitsFor);
    assert.equal(
      one.lastStatus?.text,
      `Waits for ${first.waitsFor?.key}: ${first.lastStatus?.text}`,
    );
    // Another than the one that failed finds out the next time.
    assert.ok(one.nextAttempt <= first.nextAttempt);
  }
  assert.equal(relay.log.named("delivery.deferred").length, 1);
});

test("a hint survives a restart", async () => {
  const directory = await mkdtemp(join(tmpdir(), "unseen-hints-"));
  await using dead = await answeringServer(undefined, () => false);
  const config = workspaceConfig(dead.port);
  {
    await using relay = await startTestRelay({ config, files, directory });
    await post(relay);
    await relay.happened("delivery.deferred");
  }
  {
    await using relay = await startTestRelay({ config, files, directory });
    await post(relay);
    const stored = await waiting(relay);
    assert.equal(stored.length, 2);
    assert.equal(dead.connections, 1);
    assert.equal(relay.log.named("delivery.deferred").length, 0);
  }
  await rm(directory, { recursive: true });
});

test("after a restart, mail goes at once that waits for a host of which nothing is known any more", async () => {
  const directory = await mkdtemp(join(tmpdir(), "unseen-hints-"));
  let up = false;
  await using host = await answeringServer(undefined, () => up);
  const config = workspaceConfig(host.port);
  {
    await using relay = await startTestRelay({ config, files, directory });
    await post(relay, 60);
    await relay.happened("delivery.deferred");
    assert.ok((await waiting(relay)).every(({ waitsFor }) => waitsFor !== undefined));
  }
  {
    // As if all of its connections had been in use, which is nothing that a restart remembers.
    using database = new DatabaseSync(join(directory, "spool", "spool.sqlite"));
    database.exec("DELETE FROM hints");
  }
  up = true;
  {
    await using relay = await startTestRelay({ config, files, directory });
    await relay.happened("message.completed", 60);
    assert.equal(host.taken.length, 60);
  }
  await rm(directory, { recursive: true });
});

test("when the host is back, the first message that gets through brings all that waits", async () => {
  let up = false;
  await using host = await answeringServer(undefined, () => up);
  await using relay = await startTestRelay({ config: workspaceConfig(host.port), files });
  await post(relay);
  await relay.happened("delivery.deferred");
  await post(relay, 120, "bob");
  await waiting(relay);
  up = true;
  const { spool, queue } = relay.relay;
  const [first] = relay.log.named("message.accepted");
  await spool.change("retry", [first?.id ?? ""]);
  queue.wake();
  await relay.happened("message.completed", 121);
  assert.equal(host.taken.length, 121);
  // They went along on few connections.
  assert.ok(host.connections <= 1 + 20, `${host.connections} connections`);
});

test("the postmaster's retry goes to the host whatever its hint says", async () => {
  await using dead = await answeringServer(undefined, () => false);
  await using relay = await startTestRelay({ config: workspaceConfig(dead.port), files });
  await post(relay);
  await relay.happened("delivery.deferred");
  await waiting(relay);
  const ids = relay.log.named("message.accepted").map(({ id }) => id);
  await relay.relay.spool.change("retry", ids);
  relay.relay.queue.wake();
  await relay.happened("delivery.deferred", 2);
  assert.equal(dead.connections, 2);
});

test("what waits for a dead host is bounced in the end, after one attempt of its own", async () => {
  const clock = manualClock();
  await using dead = await answeringServer(undefined, () => false);
  const config = `${withoutFiles(dead.port)}
[[retry]]
rules = "F,1h,50m"
`;
  await using relay = await startTestRelay({ config, clock });
  await post(relay);
  await relay.happened("delivery.deferred");
  clock.advance(30 * MINUTE);
  await post(relay, 1, "bob");
  for (let minutes = 0; minutes < 90; minutes += 5) {
    clock.advance(5 * MINUTE);
    await waiting(relay, clock);
  }
  const [first, second] = await relay.happened("delivery.failed", 2);
  assert.deepEqual([first?.recipient, second?.recipient], ["alice@example.com", "bob@example.com"]);
});

test("a reply about the message does not keep other mail from the host", async () => {
  let refusals = 1;
  await using host = await answeringServer(
    () => undefined,
    () => true,
    () => (refusals-- > 0 ? "451 4.3.0 not this one now" : undefined),
  );
  await using relay = await startTestRelay({ config: workspaceConfig(host.port), files });
  await post(relay);
  const [deferred] = await relay.happened("delivery.deferred");
  assert.match(deferred?.status ?? "", /^451 4\.3\.0 /);
  await post(relay);
  await relay.happened("message.completed");
  assert.equal((await waiting(relay)).length, 1);
});

test("what a host says to one sender's mail does not hold up what others have in the queue", async () => {
  const clock = manualClock();
  let isDown = true;
  await using host = await answeringServer(
    () => undefined,
    () => !isDown,
    (_, sender) => (sender.startsWith("spam") ? "421 4.7.28 unsolicited mail" : undefined),
  );
  await using relay = await startTestRelay({ config: withoutFiles(host.port), clock });
  const senders = ["spam1", "dropmail", "spam2", "dropmail", "zoe", "spam3", "zoe"];
  for (const name of senders) {
    const sender = `${name}@example.net`;
    await flood(relay, { sender, recipient: toAlice, count: 1, from: "127.0.0.9" });
  }
  await waiting(relay, clock);
  isDown = false;
  // It is tried again after a quarter of an hour; then pauses are of seconds.
  for (let minutes = 0; minutes < 24; minutes++) {
    clock.advance(MINUTE);
    await waiting(relay, clock);
  }
  assert.equal(host.taken.length, 2);
  const left = await waiting(relay, clock);
  assert.deepEqual(
    left.map(({ waitsFor }) => waitsFor),
    Array.from({ length: 5 }, () => undefined),
  );
});

test("an error of the chain's own lookups has retry rules of its own", async () => {
  await using host = await answeringServer();
  const config = `${workspaceConfig(host.port).replace(
    /driver = "manualroute"\n(.*\n)route.*\n/,
    'driver = "dnslookup"\n$1',
  )}
[[retry]]
errors = ["lookup"]
rules = "F,1d,3m"
`;
  const dns = { fail: { "example.org": "SERVFAIL" } } as const;
  await using relay = await startTestRelay({ config, files, dns });
  await flood(relay, {
    sender: "alice@example.com",
    recipient: () => "zoe@example.org",
    count: 1,
  });
  const [deferred] = await relay.happened("delivery.deferred");
  const wait = (Date.parse(deferred?.next_attempt ?? "") - Date.now()) / MINUTE;
  assert.ok(wait > 2 && wait < 4, `${wait} minutes`);
});
