// A clock that stands still until a test moves it. Timers fire in the order of their times, inside `advance`,
// so a test sees hours go by without waiting and the same way every time.

import type { Clock, Timer } from "../../src/clock.ts";

export interface ManualClock extends Clock {
  /** Moves time on, in milliseconds, and runs every timer that falls due on the way. */
  advance(milliseconds: number): void;
  /** Timers that have not fired and were not cancelled. */
  readonly pending: number;
}

interface Waiting {
  readonly at: number;
  readonly callback: () => void;
}

/** Starts at `start`, milliseconds since the epoch: the first of January 2026 when not given. */
export function manualClock(start = Date.UTC(2026, 0, 1)): ManualClock {
  let now = start;
  const waiting = new Set<Waiting>();

  function nextDue(limit: number): Waiting | undefined {
    let first: Waiting | undefined;
    for (const timer of waiting) {
      if (timer.at <= limit && (first === undefined || timer.at < first.at)) first = timer;
    }
    return first;
  }

  return {
    now: () => now,
    after(delay, callback): Timer {
      const timer = { at: now + Math.max(delay, 0), callback };
      waiting.add(timer);
      return { cancel: () => void waiting.delete(timer) };
    },
    advance(milliseconds) {
      const end = now + milliseconds;
      for (let timer = nextDue(end); timer !== undefined; timer = nextDue(end)) {
        waiting.delete(timer);
        now = timer.at;
        timer.callback();
      }
      now = end;
    },
    get pending() {
      return waiting.size;
    },
  };
}
