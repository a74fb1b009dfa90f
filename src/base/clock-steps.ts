// The time that has really passed since a stored time. The wall clock may have been set in between. This process has
// seen that if it was running then.
//
// Invariant: with the clock steps that this process has seen, it never overestimates an age. Underestimating one only
// delays mail.

import type { Clock, Timer } from "./clock.ts";

/** The real time that has passed, as far as this process has watched the clock. */
export interface Elapsed {
  /** Whole milliseconds that have passed from `at` to `now`, both by the wall clock; never negative. */
  since(at: number, now: number): number;
  /** Milliseconds for which this process has watched the clock. */
  readonly watched: number;
}

/**
 * Milliseconds. A smaller difference comes from NTP's gradual correction, or from a busy machine between two readings.
 */
const SMALLEST_STEP = 5000;
const LOOK_INTERVAL = 1000;
/**
 * Number of steps that are remembered. The oldest is forgotten first. An age that spans a forgotten step is the
 * difference of wall clock times.
 */
const STEPS_MAX = 100;

/** A range of wall time that never passed: the clock was set forward across it. */
interface Skipped {
  readonly from: number;
  readonly to: number;
}

export class ClockSteps implements Elapsed {
  readonly #clock: Clock;
  readonly #startedAt: number;
  /** In order of time, without overlap. */
  readonly #skipped: Skipped[] = [];
  #wall: number;
  #monotonic: number;
  #wasSet = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#wall = clock.now();
    this.#monotonic = clock.monotonic();
    this.#startedAt = this.#monotonic;
  }

  since(at: number, now: number): number {
    this.#look();
    let passed = now - at;
    for (const { from, to } of this.#skipped) {
      passed -= Math.max(0, Math.min(to, now) - Math.max(from, at));
    }
    return Math.floor(Math.max(0, passed));
  }

  get watched(): number {
    return this.#clock.monotonic() - this.#startedAt;
  }

  /**
   * Calls `onStep` within a second after the wall clock was set, forward or back. Calls it again each second while it
   * resolves to false.
   */
  watch(onStep: () => Promise<boolean>): Timer {
    let timer: Timer | undefined;
    const look = () => {
      this.#look();
      if (this.#wasSet) void onStep().then((done) => (this.#wasSet ||= !done));
      this.#wasSet = false;
      timer = this.#clock.after(LOOK_INTERVAL, look);
    };
    look();
    return { cancel: () => timer?.cancel() };
  }

  #look(): void {
    const wall = this.#clock.now();
    const monotonic = this.#clock.monotonic();
    const expected = this.#wall + monotonic - this.#monotonic;
    this.#wall = wall;
    this.#monotonic = monotonic;
    if (Math.abs(wall - expected) < SMALLEST_STEP) return;
    this.#wasSet = true;
    if (wall > expected) this.#skip(expected, wall);
    else this.#takeBack(expected - wall);
  }

  #skip(from: number, to: number): void {
    this.#skipped.push({ from, to });
    if (this.#skipped.length > STEPS_MAX) this.#skipped.shift();
  }

  /**
   * The clock was set back by `by` milliseconds: the latest skipped ranges are shortened by that much, the last one
   * first.
   */
  #takeBack(by: number): void {
    let left = by;
    for (let last = this.#skipped.pop(); last !== undefined; last = this.#skipped.pop()) {
      const { from, to } = last;
      if (to - from > left) {
        this.#skipped.push({ from, to: to - left });
        return;
      }
      left -= to - from;
    }
  }
}
