// A wall clock that is set while mail waits: ahead and back, by an hour, a day, 400 days, over a restart too.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { workspaceConfig } from "../support/build.ts";
import { type ManualClock, manualClock } from "../support/clock.ts";
import { freePort } from "../support/relay-process.ts";
import { startTestRelay, type TestRelay } from "../support/relay.ts";
import { type Sink, startSink } from "../support/sink.ts";
import { send } from "../support/transaction.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const files = { gmail_accounts: "alice\n" };

function configured(google: number, rules: string): string {
  return `${workspaceConfig(google)}\n[[retry]]\nmatch = "*"\nrules = "${rules}"\n`;
}

interface Moody extends Sink {
  /** Does it take mail? It defers all recipients until then. */
  readonly mood: { good: boolean };
}

async function startMoody(): Promise<Moody> {
  const mood = { good: false };
  const sink = await startSink({ isBusy: () => !mood.good });
  return Object.assign(sink, { mood });
}

/** Lets so much time pass in steps, and the relay do what it has to do in each. */
async function passing(clock: ManualClock, relay: TestRelay, time: number, step = SECOND) {
  for (let passed = 0; passed < time; passed += step) {
    clock.advance(step);
    await idle(clock, relay);
  }
}

/** Until what is due by this clock has been attempted. The spool answers in turn, so it has been asked before us. */
async function idle(clock: ManualClock, { relay }: TestRelay): Promise<void> {
  for (let quiet = 0; quiet < 5; quiet++) {
    await relay.spool.nextDue();
    await setTimeout(1);
    if (relay.queue.activeCount === 0) continue;
    quiet = 0;
    // What a settlement waits for company.
    clock.advance(5);
  }
}

async function sendTo(relay: TestRelay, recipient = "<alice@example.com>"): Promise<void> {
  using client = await relay.connect("127.0.0.9");
  await send(client, "<carol@example.net>", [recipient]);
}

describe("mail that was deferred while the clock was ahead", () => {
  for (const [ahead, what] of [
    [HOUR, "an hour"],
    [DAY, "a day"],
    [400 * DAY, "400 days"],
  ] as const) {
    test(`by ${what} is tried again as soon as the clock is right`, async () => {
      const clock = manualClock(Date.now());
      await using google = await startMoody();
      const config = configured(google.port, "F,8d,10m");
      await using relay = await startTestRelay({ config, files, clock });
      clock.step(ahead);
      await sendTo(relay);
      await relay.happened("delivery.deferred");
      google.mood.good = true;
      clock.step(-ahead);
      await passing(clock, relay, 3 * SECOND);
      assert.equal(google.messages.length, 1);
      assert.equal(relay.log.named("message.completed").length, 1);
    });

    test(`by ${what} is tried when a relay starts by the right clock`, async () => {
      const directory = await mkdtemp(join(tmpdir(), "unseen-clock-"));
      await using google = await startMoody();
      const options = { config: configured(google.port, "F,8d,10m"), files, directory };
      const clock = manualClock(Date.now());
      {
        clock.step(ahead);
        await using before = await startTestRelay({ ...options, clock });
        await sendTo(before);
        await before.happened("delivery.deferred");
      }
      google.mood.good = true;
      clock.step(-ahead);
      {
        await using after = await startTestRelay({ ...options, clock });
        await after.happened("message.completed");
      }
      assert.equal(google.messages.length, 1);
      await rm(directory, { recursive: true });
    });
  }

  test("waits no longer for a host that failed then, after a restart either", async () => {
    const directory = await mkdtemp(join(tmpdir(), "unseen-clock-"));
    const port = await freePort();
    const options = { config: configured(port, "F,8d,10m"), files, directory };
    const clock = manualClock(Date.now());
    {
      clock.step(DAY);
      await using before = await startTestRelay({ ...options, clock });
      await sendTo(before);
      await before.happened("delivery.deferred");
    }
    clock.step(-DAY);
    {
      await using google = await startSink({ port });
      await using after = await startTestRelay({ ...options, clock });
      await after.happened("message.completed");
      assert.equal(google.messages.length, 1);
    }
    await rm(directory, { recursive: true });
  });

  test("and so is its copy", async () => {
    const clock = manualClock(Date.now());
    await using google = await startSink();
    await using relay = await startTestRelay({
      config: configured(google.port, "F,8d,10m"),
      files: { ...files, "mail/example.com/alice": "in the way" },
      clock,
    });
    clock.step(DAY);
    await sendTo(relay);
    await relay.happened("delivery.deferred");
    await rm(join(relay.directory, "mail/example.com/alice"));
    clock.step(-DAY);
    await passing(clock, relay, 3 * SECOND);
    assert.equal((await relay.copies("mail/example.com/alice")).length, 1);
  });
});

describe("a clock that is set nine days ahead", () => {
  test("and back does not end a delivery, nor warn of a delay", async () => {
    const clock = manualClock(Date.now());
    await using google = await startMoody();
    const config = configured(google.port, "F,2h,15m; G,16h,1h,1.5; F,8d,6h");
    await using relay = await startTestRelay({ config, files, clock });
    await sendTo(relay);
    await relay.happened("delivery.deferred");
    clock.advance(5 * SECOND);
    clock.step(9 * DAY);
    await passing(clock, relay, 3 * SECOND);
    await relay.happened("delivery.deferred", 2);
    clock.step(-9 * DAY);
    await passing(clock, relay, 3 * SECOND);
    await relay.happened("delivery.deferred", 3);
    google.mood.good = true;
    await passing(clock, relay, 16 * MINUTE, MINUTE);
    assert.equal(google.messages.length, 1);
    for (const name of ["delivery.failed", "message.bounced", "message.reported"] as const)
      assert.deepEqual(relay.log.named(name), []);
  });

  test("and stays so ends a delivery when its time has really passed, and not before", async () => {
    const clock = manualClock(Date.now());
    await using google = await startMoody();
    await using relay = await startTestRelay({
      config: configured(google.port, "F,2d,6h"),
      files,
      clock,
    });
    await sendTo(relay);
    await relay.happened("delivery.deferred");
    clock.advance(HOUR);
    clock.step(9 * DAY);
    await passing(clock, relay, 40 * HOUR, HOUR);
    assert.deepEqual(relay.log.named("delivery.failed"), []);
    await passing(clock, relay, 12 * HOUR, HOUR);
    assert.equal(relay.log.named("delivery.failed").length, 1);
  });

  test("while no relay ran: one more attempt is made, and another after the last interval", async () => {
    const directory = await mkdtemp(join(tmpdir(), "unseen-clock-"));
    await using google = await startMoody();
    const options = { config: configured(google.port, "F,8d,6h"), files, directory };
    const clock = manualClock(Date.now());
    {
      await using before = await startTestRelay({ ...options, clock });
      await sendTo(before);
      await before.happened("delivery.deferred");
    }
    clock.step(9 * DAY);
    {
      await using after = await startTestRelay({ ...options, clock });
      await after.happened("delivery.deferred");
      await passing(clock, after, 5 * HOUR, HOUR);
      assert.deepEqual(after.log.named("delivery.failed"), []);
      assert.deepEqual(after.log.named("message.reported"), []);
      await passing(clock, after, 2 * HOUR, HOUR);
      assert.equal(after.log.named("delivery.failed").length, 1);
    }
    await rm(directory, { recursive: true });
  });
});

test("mail that came while the clock was ahead and was not begun is delivered when it is set back", async () => {
  const directory = await mkdtemp(join(tmpdir(), "unseen-clock-"));
  await writeFile(join(directory, "gmail_accounts"), "alice\n");
  const port = await freePort();
  const clock = manualClock(Date.now());
  const options = { config: configured(port, "F,8d,10m"), files, directory, clock };
  await using relay = await startTestRelay(options);
  clock.step(400 * DAY);
  await passing(clock, relay, SECOND);
  const { spool, queue } = relay.relay;
  const incoming = spool.receive(spool.nextId());
  await incoming.write(Buffer.from("Subject: hello\r\n\r\nhello\r\n"));
  const alice = { address: "alice@example.com", localPart: "alice", domain: "example.com" };
  const envelope = {
    id: spool.nextId(),
    sender: null,
    client: { address: "192.0.2.1", helo: "client.test" },
    receivedAt: clock.now(),
    eightBit: false,
    smtputf8: false,
  };
  await incoming.commit({ envelope, recipients: [{ mailbox: alice }] }, false);
  clock.step(-400 * DAY);
  await using google = await startSink({ port });
  assert.equal(queue.activeCount, 0);
  await passing(clock, relay, 3 * SECOND);
  assert.equal(google.messages.length, 1);
});
