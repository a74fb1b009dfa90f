// How fast mail goes to one recipient: an account at Google is closed for a day when it gets more than 60 a minute.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { workspaceConfig } from "../support/build.ts";
import { answeringServer } from "../support/answering.ts";
import { manualClock } from "../support/clock.ts";
import { flood } from "../support/flood.ts";
import { startTestRelay, type TestRelay } from "../support/relay.ts";

const files = { gmail_accounts: "alice\nbob\n" };
const dns = { "aspmx.l.google.com": { A: ["127.0.0.1"] } } as const;
const MINUTE = 60_000;

function post(relay: TestRelay, count: number, account = "bob"): Promise<void> {
  const recipient = () => `${account}@example.com`;
  return flood(relay, { sender: "zoe@example.net", recipient, count, from: "127.0.0.9" });
}

async function idle(relay: TestRelay): Promise<void> {
  for (let round = 0; relay.relay.queue.activeCount > 0; round++) {
    assert.ok(round < 1000, "it never ends");
    await setTimeout(10);
  }
}

test("mail beyond a recipient's rate waits in the queue, not under attempt, and nobody waits with it", async () => {
  await using host = await answeringServer();
  const config = workspaceConfig(host.port).replace(
    "[transports.gmail]",
    '$&\nrecipient_rate = "3/1h"',
  );
  await using relay = await startTestRelay({ config, files });
  await post(relay, 5);
  await host.taking(3);
  await post(relay, 1, "alice");
  await host.taking(4);
  await idle(relay);
  assert.equal(host.taken.length, 4);
  assert.equal(await relay.relay.spool.count(), 2);
  assert.deepEqual(relay.log.named("delivery.deferred"), []);
  assert.equal((await relay.copies("mail/example.com/bob")).length, 5);
});

test("after an outage of Google's the queue drains at one a second for each recipient", async () => {
  const clock = manualClock();
  let up = false;
  const times = new Map<string, number[]>();
  await using google = await answeringServer(
    (recipient) => {
      const others = times.get(recipient);
      if (others === undefined) times.set(recipient, [clock.now()]);
      else others.push(clock.now());
      return undefined;
    },
    () => up,
  );
  const config = workspaceConfig(google.port).replace(
    'hosts = ["127.0.0.1',
    'hosts = ["aspmx.l.google.com',
  );
  await using relay = await startTestRelay({ config, files, dns, clock });
  await post(relay, 12);
  await post(relay, 12, "alice");
  await idle(relay);
  up = true;
  clock.advance(20 * MINUTE);
  for (let rounds = 0; google.taken.length < 24; rounds++) {
    assert.ok(rounds < 60, `${google.taken.length} were taken`);
    // Time for what is due to go, so that a burst would be seen as one.
    await setTimeout(50);
    await idle(relay);
    clock.advance(1000);
  }
  assert.equal(times.size, 2);
  for (const all of times.values()) {
    assert.equal(all.length, 12);
    for (const [index, time] of all.entries()) {
      const gap = time - (all[index - 1] ?? 0);
      assert.ok(gap >= 1000, `${gap} ms after the one before`);
    }
  }
});
