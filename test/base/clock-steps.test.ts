// How long something is ago, by a wall clock that is set meanwhile.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { ClockSteps } from "../../src/base/clock-steps.ts";
import { manualClock, ticking } from "../support/clock.ts";

const SECOND = 1000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function watched() {
  const clock = manualClock();
  const steps = new ClockSteps(clock);
  return { clock, steps, since: (at: number) => steps.since(at, clock.now()) };
}

describe("time that has passed", () => {
  test("is what the wall clock says, as long as nobody sets it", () => {
    const { clock, since } = watched();
    const at = clock.now();
    clock.advance(3 * HOUR);
    assert.equal(since(at), 3 * HOUR);
    assert.equal(since(at - 8 * DAY), 8 * DAY + 3 * HOUR);
  });

  test("does not grow with a clock that is set nine days ahead, nor shrink when it is set back", () => {
    const { clock, steps, since } = watched();
    const at = clock.now();
    clock.advance(HOUR);
    clock.step(9 * DAY);
    assert.equal(since(at), HOUR);
    clock.advance(2 * HOUR);
    assert.equal(since(at), 3 * HOUR);
    clock.step(-9 * DAY);
    assert.equal(since(at), 3 * HOUR);
    clock.advance(HOUR);
    assert.equal(since(at), 4 * HOUR);
    assert.equal(steps.watched, 4 * HOUR);
  });

  test("is counted from the right moment for what was stored before, between and after two steps", () => {
    const { clock, since } = watched();
    const before = clock.now();
    clock.advance(HOUR);
    clock.step(DAY);
    since(before);
    clock.advance(HOUR);
    const between = clock.now();
    clock.advance(HOUR);
    clock.step(400 * DAY);
    since(before);
    const after = clock.now();
    clock.advance(HOUR);
    assert.deepEqual([before, between, after].map(since), [4 * HOUR, 2 * HOUR, HOUR]);
  });

  test("is whole milliseconds, although the steps are measured in parts of one", () => {
    const clock = manualClock();
    const steps = new ClockSteps(ticking(clock));
    const at = clock.now();
    clock.advance(HOUR);
    clock.step(DAY);
    const passed = steps.since(at, clock.now());
    assert.ok(Number.isInteger(passed) && Math.abs(passed - HOUR) < 2, `${passed}`);
  });

  test("is none since a time that is still to come", () => {
    const { clock, since } = watched();
    clock.step(DAY);
    const ahead = clock.now();
    since(ahead);
    clock.step(-DAY);
    clock.advance(HOUR);
    assert.equal(since(ahead), 0);
  });

  test("is at most what it was, when the clock went back further than it had gone ahead", () => {
    const { clock, since } = watched();
    const at = clock.now();
    clock.step(DAY);
    since(at);
    clock.advance(2 * HOUR);
    clock.step(-DAY - HOUR);
    assert.equal(since(at), HOUR);
  });
});

describe("a clock that is watched", () => {
  test("tells of each step within a second, and of none that NTP makes", () => {
    const { clock, steps } = watched();
    let told = 0;
    const timer = steps.watch(async () => ++told > 0);
    clock.advance(DAY / 24);
    clock.step(400);
    clock.advance(SECOND);
    assert.equal(told, 0);
    for (const step of [-HOUR, 6 * SECOND, 400 * DAY, -400 * DAY]) {
      clock.step(step);
      clock.advance(SECOND);
    }
    assert.equal(told, 4);
    timer.cancel();
    assert.equal(clock.pending, 0);
  });

  test("tells again of a step that could not be dealt with", async () => {
    const { clock, steps } = watched();
    const outcomes = [false, false, true];
    steps.watch(async () => outcomes.shift() ?? true);
    clock.step(-DAY);
    for (let seconds = 0; seconds < 6; seconds++) {
      clock.advance(SECOND);
      await setImmediate();
    }
    assert.deepEqual(outcomes, []);
  });

  test("tells of a step and its end between two looks, when somebody has asked meanwhile", () => {
    const { clock, steps, since } = watched();
    let told = 0;
    steps.watch(async () => ++told > 0);
    clock.step(DAY);
    since(clock.now());
    clock.step(-DAY);
    clock.advance(SECOND);
    assert.equal(told, 1);
  });
});
