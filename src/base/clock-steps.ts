// How much time has really passed since a time that is stored: the wall clock may have been set in between, and this
// process has seen it if it ran then.
//
// Invariant: an age is never overestimated by what this process has seen. Underestimating one only delays mail.

import type { Clock, Timer } from "./clock.ts";

/** What this process knows of time that has passed. */
export interface Elapsed {
  /** Whole milliseconds that have passed from `at` to `now`, both by the wall clock; never negative. */
  since(at: number, now: number): number;
  /** Milliseconds for which this process has watched the clock. */
  readonly watched: number;
}

/** A difference of less is the pace of NTP, or a busy machine between two readings; in ms. */
const SMALLEST_STEP = 5000;
const LOOK_INTERVAL = 1000;
/** Steps that are remembered. An earlier one is forgotten: ages that span it are then those of the wall clock. */
const STEPS_MAX = 100;

/** A range of wall time that never was: the clock was set across it. */
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

  /** Calls `onStep` within a second after the wall clock was set, either way; and again while it gives false. */
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

  /** What the clock goes back by has not been skipped any more, the last of it first. */
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
