// Time as a service, so that tests can own it. Only the queue runner and the protocol edges set timers.

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Runs `callback` once, `delay` milliseconds from now. Does not keep the process alive. */
  after(delay: number, callback: () => void): Timer;
}

/** setTimeout counts in 32 bits; a longer wait would fire at once. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delay, callback) {
    const timeout = setTimeout(callback, Math.min(Math.max(delay, 0), LONGEST_TIMEOUT));
    timeout.unref();
    return { cancel: () => clearTimeout(timeout) };
  },
};
