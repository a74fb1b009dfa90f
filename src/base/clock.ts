// Time as a service, so that tests can own it. Only the queue runner and the protocol edges set timers.
//
// There are two clocks. The wall clock says when something happened, to people and across restarts; an operator or NTP
// may set it at any moment. The monotonic clock says how long something took. Durations are measured by the monotonic
// clock.

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since the epoch, by the wall clock: may jump either way. */
  now(): number;
  /** Milliseconds since the process began: only moves forward, and means nothing to another process. */
  monotonic(): number;
  /** Runs `callback` once, when `delay` milliseconds have passed. Does not keep the process alive. */
  after(delay: number, callback: () => void): Timer;
}

/**
 * Milliseconds by which the two clocks may differ about one moment: the wall clock is read in whole milliseconds, the
 * monotonic clock in fractions of one. A time promised by one clock may come this much earlier or later by the other.
 */
export const CLOCK_ROUNDING = 2;

/** setTimeout counts in 32 bits; a longer wait would fire at once. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delay, callback) {
    const timeout = setTimeout(callback, Math.min(Math.max(delay, 0), LONGEST_TIMEOUT));
    timeout.unref();
    return { cancel: () => clearTimeout(timeout) };
  },
};
