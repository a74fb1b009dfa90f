// A clock that stands still until a test moves it. Timers fire in the order of their times, inside `advance`. So hours
// pass in a test without waiting, and in the same way every time.

import type { Clock, Timer } from "../../src/base/clock.ts";
import type { Elapsed } from "../../src/base/clock-steps.ts";

export interface ManualClock extends Clock {
  /** Moves time on, in milliseconds, and runs every timer that falls due on the way. */
  advance(milliseconds: number): void;
  /** Sets the wall clock ahead by `milliseconds`, or back if negative, as an operator does. No time passes. */
  step(milliseconds: number): void;
  /** Timers that have not fired and were not cancelled. */
  readonly pending: number;
}

interface Waiting {
  readonly at: number;
  readonly callback: () => void;
}

/**
 * Milliseconds for which the process has already run. The monotonic clock counts in fractions; this one adds up
 * exactly.
 */
const BEGUN = 142.875;

/** Starts at `start`, milliseconds since the epoch; by default the first of January 2026. */
export function manualClock(start = Date.UTC(2026, 0, 1)): ManualClock {
  let passed = 0;
  let wall = start;
  const waiting = new Set<Waiting>();

  function nextDue(limit: number): Waiting | undefined {
    let first: Waiting | undefined;
    for (const timer of waiting) {
      if (timer.at <= limit && (first === undefined || timer.at < first.at)) first = timer;
    }
    return first;
  }

  return {
    now: () => wall + passed,
    monotonic: () => BEGUN + passed,
    after(delay, callback): Timer {
      const timer = { at: passed + Math.max(delay, 0), callback };
      waiting.add(timer);
      return { cancel: () => void waiting.delete(timer) };
    },
    advance(milliseconds) {
      const end = passed + milliseconds;
      for (let timer = nextDue(end); timer !== undefined; timer = nextDue(end)) {
        waiting.delete(timer);
        passed = timer.at;
        timer.callback();
      }
      passed = end;
    },
    step(milliseconds) {
      wall += milliseconds;
    },
    get pending() {
      return waiting.size;
    },
  };
}

/**
 * A clock on which a little time passes between two readings, as in reality. So monotonic differences are never whole
 * milliseconds.
 */
export function ticking(clock: Clock): Clock {
  let readings = 0;
  return { ...clock, monotonic: () => clock.monotonic() + readings++ / 1024 };
}

/** The wall clock is right, and this process has always watched it. */
export const believed: Elapsed = {
  since: (at, now) => Math.max(0, now - at),
  watched: Number.POSITIVE_INFINITY,
};
