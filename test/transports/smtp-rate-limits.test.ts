// How fast mail goes to one place, by a clock that a test moves.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RateLimit, type Rate } from "../../transports/smtp/rate-limit.ts";
import { RateLimits } from "../../transports/smtp/rate-limits.ts";
import { type ManualClock, manualClock } from "../support/clock.ts";
import { batch, envelope, recipient } from "../support/build.ts";

const MINUTE = 60_000;
const SIXTY: Rate = { count: 60, window: MINUTE };
const GOOGLE: Rate = { ...SIXTY, drainOnly: true };

/** Seconds from now until each of `count` messages may go; 0 is now. */
function turns(
  limit: RateLimit,
  clock: ManualClock,
  count: number,
  fresh: boolean,
  from = 0,
): number[] {
  return Array.from({ length: count }, (_, index) => {
    const turn = limit.turn("bob", `m${from + index}`, fresh);
    return turn === undefined ? 0 : (turn - clock.now()) / 1000;
  });
}

describe("limit", () => {
  test("mail that has waited goes one by one, evenly, in the order of asking", () => {
    const clock = manualClock();
    const limit = new RateLimit(SIXTY, clock);
    assert.deepEqual(turns(limit, clock, 5, false), [0, 1, 2, 3, 4]);
  });

  test("the first message of a window of one goes at once, at every fraction of a millisecond", () => {
    const fractions = Array.from({ length: 1000 }, (_, index) => 1234 + index / 7);
    const kept = fractions.filter((passed) => {
      const clock = { ...manualClock(), monotonic: () => passed };
      return (
        new RateLimit({ count: 1, window: 60 * MINUTE }, clock).turn("bob", "m0", true) !==
        undefined
      );
    });
    assert.deepEqual(kept, []);
  });

  test("mail that has just come in may use the window at once, and then waits too", () => {
    const clock = manualClock();
    const limit = new RateLimit(SIXTY, clock);
    const all = turns(limit, clock, 63, true);
    assert.deepEqual(
      all.slice(0, 60),
      Array.from({ length: 60 }, () => 0),
    );
    assert.deepEqual(all.slice(60), [1, 2, 3]);
  });

  test("a turn is kept: asked before it, the answer is the same, and at it the message goes", () => {
    const clock = manualClock();
    const limit = new RateLimit(SIXTY, clock);
    turns(limit, clock, 10, false);
    const turn = limit.turn("bob", "m9", false);
    clock.advance(5000);
    assert.equal(limit.turn("bob", "m9", false), turn);
    clock.advance(4000);
    assert.equal(limit.turn("bob", "m9", false), undefined);
  });

  test("however often a thousand messages ask, one a second goes", () => {
    const clock = manualClock();
    const limit = new RateLimit(SIXTY, clock);
    const waiting = new Set(Array.from({ length: 300 }, (_, index) => `m${index}`));
    for (let second = 0; waiting.size > 0; second++) {
      const before = waiting.size;
      for (const message of waiting) {
        if (limit.turn("bob", message, false) === undefined) waiting.delete(message);
      }
      assert.equal(before - waiting.size, 1, `second ${second}`);
      clock.advance(1000);
    }
  });

  test("turns that were missed are void after a window: together they would be the burst", () => {
    const clock = manualClock();
    const limit = new RateLimit(SIXTY, clock);
    turns(limit, clock, 600, false);
    clock.advance(60 * MINUTE);
    assert.equal(turns(limit, clock, 600, false).filter((wait) => wait === 0).length, 1);
  });

  test("others have a limit of their own", () => {
    const clock = manualClock();
    const limit = new RateLimit(SIXTY, clock);
    turns(limit, clock, 100, false);
    assert.equal(limit.turn("carol", "m1", false), undefined);
  });

  test("for Google what comes in is never held, and pushes what drains back", () => {
    const clock = manualClock();
    const limit = new RateLimit(GOOGLE, clock);
    assert.deepEqual(new Set(turns(limit, clock, 30, true)), new Set([0]));
    assert.deepEqual(turns(limit, clock, 2, false, 100), [30, 31]);
  });

  test("for Google a flood that comes in does not hold back what drains for longer than a window", () => {
    const clock = manualClock();
    const limit = new RateLimit(GOOGLE, clock);
    turns(limit, clock, 5000, true);
    assert.deepEqual(turns(limit, clock, 1, false, 5000), [60]);
  });

  test("what has long been unused is forgotten, and the window is whole again", () => {
    const clock = manualClock();
    const limit = new RateLimit(SIXTY, clock);
    turns(limit, clock, 60, true);
    clock.advance(3 * MINUTE);
    assert.deepEqual(new Set(turns(limit, clock, 60, true, 100)), new Set([0]));
  });

  for (const step of [-30_000, 30_000, 3_600_000]) {
    test(`turns come evenly though the clock is set by ${step} ms`, () => {
      const clock = manualClock();
      const limit = new RateLimit(SIXTY, clock);
      assert.deepEqual(turns(limit, clock, 4, false), [0, 1, 2, 3]);
      clock.step(step);
      assert.deepEqual(turns(limit, clock, 3, false, 1), [1, 2, 3]);
      clock.advance(1000);
      assert.deepEqual(turns(limit, clock, 3, false, 1), [0, 1, 2]);
    });
  }

  test("a clock that was set back does not hold mail until it has caught up", () => {
    let now = Date.UTC(2031, 0, 1);
    const limit = new RateLimit(SIXTY, { ...manualClock(), now: () => now });
    limit.turn("bob", "m1", false);
    assert.ok(limit.turn("bob", "m2", false));
    now = Date.UTC(2026, 0, 1);
    assert.equal(limit.turn("bob", "m2", false), undefined);
  });
});

/** Seconds until each of these recipients may have a message that has waited. */
function waits(limits: RateLimits, clock: ManualClock, id: string, ...names: readonly string[]) {
  const all = names.map((name) => recipient(`${name}@example.com`));
  const later = limits.waiting(batch(all, { envelope: envelope({ id }), fresh: false }), all);
  return all.map((one) => ((later.get(one.id)?.notBefore ?? clock.now()) - clock.now()) / 1000);
}

describe("limit of a destination and of its recipients", () => {
  const slow: Rate = { count: 1, window: 10_000 };

  test("a message counts once at its destination, for all its recipients", () => {
    const clock = manualClock();
    const limits = new RateLimits(new RateLimit(slow, clock), undefined);
    assert.deepEqual(waits(limits, clock, "m1", "a", "b", "c"), [0, 0, 0]);
    assert.deepEqual(waits(limits, clock, "m2", "a", "b"), [10, 10]);
  });

  test("only the recipient that is over has to wait, however its address is written", () => {
    const clock = manualClock();
    const limits = new RateLimits(undefined, new RateLimit(slow, clock));
    assert.deepEqual(waits(limits, clock, "m1", "bob"), [0]);
    assert.deepEqual(waits(limits, clock, "m2", "BOB", "carol"), [10, 0]);
  });

  test("a message that waits for a recipient takes no turn at the destination", () => {
    const clock = manualClock();
    const limits = new RateLimits(new RateLimit(SIXTY, clock), new RateLimit(slow, clock));
    waits(limits, clock, "m1", "bob");
    clock.advance(1000);
    assert.deepEqual(waits(limits, clock, "m2", "bob"), [9]);
    assert.deepEqual(waits(limits, clock, "m3", "carol"), [0]);
  });

  test("a message that has had its turn and has not gone needs no other, once", () => {
    const clock = manualClock();
    const limits = new RateLimits(new RateLimit(slow, clock), new RateLimit(slow, clock));
    assert.deepEqual(waits(limits, clock, "m1", "a", "b"), [0, 0]);
    const given = batch([], { envelope: envelope({ id: "m1" }) });
    limits.keep(given, [recipient("a@example.com")]);
    assert.deepEqual(waits(limits, clock, "m2", "c"), [10]);
    assert.deepEqual(waits(limits, clock, "m1", "a"), [0]);
    assert.deepEqual(waits(limits, clock, "m1", "a"), [20]);
  });

  test("whoever waits for both goes in the end", () => {
    const clock = manualClock();
    const limits = new RateLimits(new RateLimit(slow, clock), new RateLimit(slow, clock));
    const waiting = new Set(Array.from({ length: 20 }, (_, index) => `m${index}`));
    for (let round = 0; waiting.size > 0; round++) {
      assert.ok(round < 60, `${waiting.size} still wait`);
      const before = waiting.size;
      for (const id of waiting) {
        if (waits(limits, clock, id, "bob")[0] === 0) waiting.delete(id);
      }
      assert.ok(before - waiting.size <= 1);
      clock.advance(10_000);
    }
  });
});

test("without a rate nobody waits", () => {
  const limits = new RateLimits(undefined, undefined);
  for (let count = 0; count < 100; count++) {
    assert.deepEqual(waits(limits, manualClock(), `m${count}`, "bob"), [0]);
  }
});
