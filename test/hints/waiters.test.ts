// Who waits for a host is woken a few at a time, at the pace at which the host takes mail.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Waiters } from "../../src/waiters.ts";

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

async function proceed(waiters: Waiters, times: number): Promise<void> {
  for (let count = 0; count < times; count++) {
    waiters.proceed("mx");
    await turn();
  }
}

test("nobody is looked for when nobody waits", async () => {
  const { calls, waiters } = spool(10);
  await proceed(waiters, 3);
  assert.deepEqual(calls, []);
});

test("a thousand are woken fifty at a time, the next when half of them have got through", async () => {
  const { calls, waiters } = spool(1000);
  waiters.add("mx");
  await proceed(waiters, 1);
  assert.deepEqual(calls, [50]);
  await proceed(waiters, 24);
  assert.deepEqual(calls, [50]);
  await proceed(waiters, 1);
  assert.deepEqual(calls, [50, 50]);
});

test("in the end everybody has been woken, and it is over", async () => {
  const { calls, waiters, left } = spool(1000);
  waiters.add("mx");
  await proceed(waiters, 1001);
  assert.equal(left(), 0);
  assert.equal(Math.max(...calls), 50);
  const sofar = calls.length;
  await proceed(waiters, 100);
  assert.equal(calls.length, sofar);
});

test("who is turned away again and again is not woken again and again", async () => {
  const calls: number[] = [];
  const waiters = new Waiters(() => {
    calls.push(10);
    return Promise.resolve(10);
  });
  for (let count = 0; count < 100; count++) {
    waiters.add("mx");
    waiters.wake("mx");
    await turn();
  }
  assert.ok(calls.length <= 3, `${calls.length} times`);
});

test("after a failure those who were woken wait again, and are woken anew", async () => {
  const { calls, waiters } = spool(1000);
  waiters.add("mx");
  await proceed(waiters, 1);
  waiters.halt("mx");
  await proceed(waiters, 1);
  assert.deepEqual(calls, [50, 50]);
});

test("one who comes while the others are being woken is not forgotten", async () => {
  const { calls, waiters } = spool(0);
  waiters.add("mx");
  waiters.proceed("mx");
  waiters.add("mx");
  await turn();
  waiters.proceed("mx");
  assert.deepEqual(calls, [0, 0]);
});
