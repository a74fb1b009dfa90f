// Who waits for a host is woken a few at a time, at the pace at which the host takes mail.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Waiters } from "../../../src/retry/hosts/waiters.ts";

/** A spool in which so many wait. */
function spool(waiting: number) {
  const calls: number[] = [];
  let left = waiting;
  const waiters = new Waiters((_, most) => {
    const woken = Math.min(left, most);
    left -= woken;
    calls.push(woken);
    return Promise.resolve(woken);
  });
  return { calls, waiters, left: () => left };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function proceed(waiters: Waiters, times: number, room = Infinity): Promise<void> {
  for (let count = 0; count < times; count++) {
    waiters.proceed("mx", room);
    await turn();
  }
}

test("nobody is looked for when nobody waits", async () => {
  const { calls, waiters } = spool(10);
  await proceed(waiters, 3);
  assert.deepEqual(calls, []);
});

test("as many are woken as there is room for, and never more than fifty at once", async () => {
  const { calls, waiters } = spool(1000);
  waiters.add("mx");
  await proceed(waiters, 1, 7);
  await proceed(waiters, 2, 0);
  await proceed(waiters, 1);
  assert.deepEqual(calls, [7, 50]);
});

test("in the end everybody has been woken, and it is over", async () => {
  const { calls, waiters, left } = spool(1000);
  waiters.add("mx");
  await proceed(waiters, 200, 10);
  assert.equal(left(), 0);
  assert.equal(calls.length, 101);
});

test("many successes at once wake once", async () => {
  const { calls, waiters } = spool(1000);
  waiters.add("mx");
  for (let count = 0; count < 100; count++) waiters.proceed("mx", 10);
  await turn();
  assert.deepEqual(calls, [10]);
});

test("who begins to wait while nothing gets through is woken on suspicion, once", async () => {
  const { calls, waiters } = spool(1000);
  for (let count = 0; count < 100; count++) {
    waiters.add("mx");
    waiters.suspect("mx");
    await turn();
  }
  assert.deepEqual(calls, [50]);
  await proceed(waiters, 1, 10);
  waiters.add("mx");
  waiters.suspect("mx");
  await turn();
  assert.deepEqual(calls, [50, 10, 50]);
});

test("one who comes while the others are being woken is not forgotten", async () => {
  const { calls, waiters } = spool(0);
  waiters.add("mx");
  waiters.proceed("mx", 10);
  waiters.add("mx");
  await turn();
  waiters.proceed("mx", 10);
  assert.deepEqual(calls, [0, 0]);
});

test("crowds are never more than a number, and are swept when nobody has joined for a day", () => {
  const { waiters } = spool(0);
  for (let count = 0; count < 30_000; count++) waiters.add(`mx${count}`);
  assert.equal(waiters.size, 20_000);
  waiters.sweep(() => false);
  waiters.add("mx29999");
  waiters.sweep((key) => key === "mx29998");
  assert.equal(waiters.size, 2);
});

test("whoever is forgotten while others are being woken comes again", async () => {
  const { calls, waiters } = spool(0);
  waiters.add("mx");
  waiters.proceed("mx", 10);
  waiters.forget("mx");
  waiters.add("mx");
  await turn();
  waiters.proceed("mx", 10);
  assert.deepEqual(calls, [0, 0]);
});
