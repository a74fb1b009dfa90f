// Places for those who wait for other people: strangers never have all of them.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DeliveryRoom, type Room } from "../../src/base/room.ts";
import { manualClock } from "../support/clock.ts";

function fill(room: Room, standing: "own" | "proven" | "unknown"): (() => void)[] {
  const leaving: (() => void)[] = [];
  while (room.left(standing) > 0) leaving.push(room.enter(standing));
  return leaving;
}

test("unknown hosts leave places for proven ones, and these for the postmaster's own", () => {
  const room = new DeliveryRoom(manualClock());
  const unknown = fill(room, "unknown");
  assert.ok(room.left("proven") >= 20);
  fill(room, "proven");
  assert.ok(room.left("own") >= 20);
  fill(room, "own");
  for (const standing of ["own", "proven", "unknown"] as const)
    assert.equal(room.left(standing), 0);
  unknown.pop()?.();
  for (const standing of ["own", "proven", "unknown"] as const)
    assert.equal(room.left(standing), 1);
});

test("all of them together are fewer than the queue has under attempt", () => {
  const room = new DeliveryRoom(manualClock());
  assert.ok(fill(room, "own").length <= 450);
});

describe("a look-up", () => {
  test("that is soon over takes no place, and gives what it finds", async () => {
    const clock = manualClock();
    const room = new DeliveryRoom(clock);
    fill(room, "unknown");
    assert.equal(await room.patience(Promise.resolve("found")), "found");
    await assert.rejects(room.patience(Promise.reject(new Error("no"))), /no/);
    assert.equal(clock.pending, 0);
  });

  test("that takes long takes a place, and gives it back", async () => {
    const clock = manualClock();
    const room = new DeliveryRoom(clock);
    const before = room.left("unknown");
    const { promise, resolve } = Promise.withResolvers<string>();
    const found = room.patience(promise);
    clock.advance(1000);
    assert.equal(room.left("unknown"), before - 1);
    resolve("late");
    assert.equal(await found, "late");
    assert.equal(room.left("unknown"), before);
  });

  test("that takes long is waited for no longer when there is no place", async () => {
    const clock = manualClock();
    const room = new DeliveryRoom(clock);
    const leaving = fill(room, "unknown");
    const { promise, reject } = Promise.withResolvers<string>();
    const found = room.patience(promise);
    clock.advance(1000);
    assert.equal(await found, undefined);
    // What becomes of it is nobody's affair any more.
    reject(new Error("late"));
    leaving.pop()?.();
    assert.equal(room.left("unknown"), 1);
    const later = room.later() - clock.now();
    assert.ok(later >= 60_000 && later <= 180_001, `${later} ms`);
  });
});
