// Who may join the line before a host: no crowd of hosts that hang takes all the room.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { DeliveryRoom } from "../../src/base/room.ts";
import { type Lease, Pool } from "../../transports/smtp/pool.ts";
import { localPolicy } from "../../transports/smtp/policy.ts";
import { open } from "../smtp/client/conversation.ts";
import { manualClock } from "../support/clock.ts";
import { greet, scriptedServer } from "../support/sink.ts";
import { type Target, targetOf } from "../../transports/smtp/targets.ts";

const never = new AbortController().signal;

function target(number: number): Target {
  return targetOf(
    { name: `mx${number}.example.net` },
    "192.0.2.1",
    25,
    localPolicy("opportunistic"),
  );
}

function pool(): Pool {
  return new Pool(20, 500, 0, new DeliveryRoom(manualClock()));
}

/** As many deliveries to `to` as are let in; none of them ever gets anywhere. */
function fill(
  all: Pool,
  to: Target,
  most = 1000,
): { inside: number; leases: Promise<Lease | undefined>[] } {
  const leases: Promise<Lease | undefined>[] = [];
  while (leases.length < most && all.room(to, false) === "free") leases.push(all.lease(to, never));
  return { inside: leases.length, leases };
}

/** A lease on which a message gets through. */
async function works(all: Pool, to: Target): Promise<Lease> {
  const lease = await all.lease(to, never);
  assert.ok(lease);
  lease.worked(true);
  return lease;
}

test("a host that nobody has heard from gets some deliveries, and the next is in doubt", () => {
  const all = pool();
  const { inside } = fill(all, target(1));
  assert.ok(inside >= 40 && inside <= 50, `${inside}`);
  assert.equal(all.room(target(1), false), "in doubt");
});

test("a host that works gets more, and the next finds it busy", async () => {
  const all = pool();
  await works(all, target(1));
  const { inside } = fill(all, target(1));
  assert.ok(inside > 100 && inside < 200, `${inside}`);
  assert.equal(all.room(target(1), false), "busy");
});

test("hundreds of hosts that hang leave room for one that works", async () => {
  const all = pool();
  await works(all, target(0));
  let inside = 0;
  for (let number = 1; number <= 1000; number++) inside += fill(all, target(number)).inside;
  assert.ok(inside <= 400, `${inside}`);
  assert.equal(all.room(target(2000), false), "in doubt");
  assert.ok(fill(all, target(0)).inside >= 5);
});

test("the first of many hosts do not take it all: the twentieth still gets in", () => {
  const all = pool();
  for (let number = 1; number < 20; number++) fill(all, target(number));
  assert.ok(fill(all, target(20)).inside > 1);
});

test("one is enough to find out about a host that failed the last time", () => {
  const all = pool();
  assert.equal(all.room(target(1), true), "free");
  void all.lease(target(1), never);
  assert.equal(all.room(target(1), true), "in doubt");
});

test("room that was taken is given back, however the delivery ends", async () => {
  const all = pool();
  for (let round = 0; round < 20; round++) {
    const giveUp = new AbortController();
    const leases = Array.from({ length: 40 }, () => all.lease(target(round), giveUp.signal));
    giveUp.abort();
    for (const lease of await Promise.all(leases)) lease?.[Symbol.dispose]();
  }
  assert.ok(fill(all, target(100)).inside >= 40);
});

test("one more at a time for each message that got through, half for each failure, never none", async () => {
  const all = pool();
  const atOnce = async () => {
    const { leases } = fill(all, target(1), 40);
    let granted = 0;
    for (const lease of leases) void lease.then((one) => (granted += one === undefined ? 0 : 1));
    await setImmediate();
    const held: Lease[] = [];
    for (const lease of leases.slice(0, granted)) {
      const one = await lease;
      if (one !== undefined) held.push(one);
    }
    const count = granted;
    for (const one of held) one[Symbol.dispose]();
    for (const lease of leases.slice(count)) (await lease)?.[Symbol.dispose]();
    return count;
  };
  assert.equal(await atOnce(), 5);
  // Somebody holds the place, so that what was learnt is not forgotten.
  const first = await works(all, target(1));
  for (let count = 0; count < 30; count++) first.worked(true);
  assert.equal(await atOnce(), 19);
  first.worked(false);
  assert.equal(await atOnce(), 9);
  for (let count = 0; count < 10; count++) first.worked(false);
  first[Symbol.dispose]();
  assert.ok((await atOnce()) >= 1);
});

test("a message that is still coming in gets a place while another stays free", async () => {
  const all = pool();
  const held: Lease[] = [];
  for (; all.hasSpare(target(1));) {
    const one = await all.lease(target(1), never, { passing: true });
    assert.ok(one);
    held.push(one);
  }
  assert.equal(held.length, 4);
  const last = await all.lease(target(1), never);
  assert.ok(last);
  last.worked(true);
  assert.ok(!all.hasSpare(target(1)));
  last.worked(false);
  last[Symbol.dispose]();
  assert.ok(!all.hasSpare(target(1)));
  held.pop()?.[Symbol.dispose]();
  held.pop()?.[Symbol.dispose]();
  // Three at a time now, and two of them are taken.
  assert.ok(!all.hasSpare(target(1)));
  held.pop()?.[Symbol.dispose]();
  assert.ok(all.hasSpare(target(1)));
});

test("messages that are still coming in leave one place when few are left to have, and only one", async () => {
  const all = pool();
  const passing = await Promise.all(
    [1, 2, 3, 4].map(() => all.lease(target(1), never, { passing: true })),
  );
  passing[0]?.worked(false);
  passing[0]?.worked(false);
  const order: string[] = [];
  const ordinary = ["first", "second"].map(async (name) => {
    const lease = await all.lease(target(1), never);
    order.push(name);
    return lease;
  });
  await setImmediate();
  assert.deepEqual(order, ["first"]);
  (await ordinary[0])?.[Symbol.dispose]();
  await setImmediate();
  assert.deepEqual(order, ["first", "second"]);
  for (const one of passing) one?.[Symbol.dispose]();
  (await ordinary[1])?.[Symbol.dispose]();
});

test("where only one connection may be, none is for a message that is still coming in", () => {
  assert.ok(!new Pool(1, 500, 0, new DeliveryRoom(manualClock())).hasSpare(target(1)));
  assert.ok(new Pool(2, 500, 0, new DeliveryRoom(manualClock())).hasSpare(target(1)));
});

test("who was in line knows that the host failed another meanwhile", async () => {
  const all = new Pool(1, 500, 0, new DeliveryRoom(manualClock()));
  const first = await all.lease(target(1), never);
  const second = all.lease(target(1), never);
  first?.worked(false);
  first?.[Symbol.dispose]();
  assert.equal(first?.failedMeanwhile, false);
  assert.equal((await second)?.failedMeanwhile, true);
});

test("who waits in the queue is called when the line is half empty, not before", async () => {
  const all = pool();
  const first = await works(all, target(1));
  const whole = all.vacancies(target(1));
  assert.ok(whole > 100, `${whole}`);
  const { leases } = fill(all, target(1));
  assert.equal(all.vacancies(target(1)), 0);
  first[Symbol.dispose]();
  // Nobody else gets through here: each lease is given back as it comes.
  for (const lease of leases) (await lease)?.[Symbol.dispose]();
  await works(all, target(1));
  assert.equal(all.vacancies(target(1)), whole);
});

test("hosts that hang, one delivery each, leave room for own hosts and for those that have taken mail", async () => {
  const all = pool();
  const before = await works(all, target(1));
  before[Symbol.dispose]();
  let inside = 0;
  for (let number = 2; all.room(target(number), false) === "free"; number++) {
    void all.lease(target(number), never);
    inside++;
  }
  assert.ok(inside > 300 && inside < 400, `${inside}`);
  assert.equal(all.room(target(1), false), "free");
  assert.equal(all.room(target(9999), false, true), "free");
  // One that has failed has to prove itself again.
  const failing = await all.lease(target(1), never);
  failing?.worked(false);
  failing?.[Symbol.dispose]();
  assert.equal(all.room(target(1), false), "in doubt");
});

test("unused connections to all hosts are a bounded number: the one that was used longest ago is closed", async () => {
  const left: number[] = [];
  await using peer = await scriptedServer(async (conn, ordinal) => {
    await greet(conn);
    assert.equal(await conn.readLine(), "QUIT");
    left.push(ordinal);
    conn.send("221 bye");
  });
  const all = new Pool(20, 500, 60_000, new DeliveryRoom(manualClock()));
  for (let number = 0; number < 205; number++) {
    const lease = await all.lease(target(number), never);
    assert.ok(lease);
    lease.conversation = await open(peer.port);
    lease[Symbol.dispose]();
  }
  while (left.length < 5) await setImmediate();
  assert.deepEqual(
    left.toSorted((one, other) => one - other),
    [1, 2, 3, 4, 5],
  );
  await all.close();
  assert.equal(left.length, 205);
});
