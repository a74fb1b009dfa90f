// When a request that failed is tried again: after a growing time with a random share, or when the answer says.
//
// Invariants:
//
// - The tries end: `deadline` ms after the first of all, or when no request has succeeded for `QUIET_FIRST` or
//   `QUIET_LATER` ms. A wait that would end later does not begin.
// - If one request meets a limit of the rate, all requests pause.
// - A wait keeps the process running, and ends at once when the signal is aborted.

import type { Clock } from "../base/clock.ts";
import { GoogleError } from "./google-error.ts";

export interface PatienceMeans {
  readonly clock: Clock;
  /** A number from 0 to 1. */
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** Milliseconds for all requests together. Absent: as long as some of them succeed. */
  readonly deadline?: number | undefined;
}

/** Thrown by a try that may succeed later. */
export class TryLater extends Error {
  readonly error: GoogleError;
  /** Milliseconds that the answer asks to wait at least. */
  readonly wait: number;
  /** Whether the answer means that requests come too fast. */
  readonly isRate: boolean;
  /** Whether the next try may be made at once. */
  readonly isAtOnce: boolean;

  constructor(error: GoogleError, { wait = 0, isRate = false, isAtOnce = false } = {}) {
    super(error.message);
    this.name = "TryLater";
    this.error = error;
    this.wait = wait;
    this.isRate = isRate;
    this.isAtOnce = isAtOnce;
  }
}

/** Milliseconds without any success, before the first and after it: a quota of a minute is over by then. */
const QUIET_FIRST = 60_000;
const QUIET_LATER = 90_000;
const WAIT_FIRST = 1000;
const WAIT_LONGEST = 32_000;

export class Patience {
  readonly #means: PatienceMeans;
  /** By the monotonic clock: the time at which the tries end. */
  #end: number;
  /** By the monotonic clock: no request before this time. */
  #pausedUntil = 0;
  /** Pauses since the last success. */
  #pauses = 0;
  /** The error of the last try that failed. */
  #failed = new GoogleError("unreachable", "no answer in time");

  constructor(means: PatienceMeans) {
    this.#means = means;
    this.#end = means.clock.monotonic() + (means.deadline ?? QUIET_FIRST);
  }

  /**
   * Tries until a try succeeds, and returns its result. A try gets a signal that is aborted at the end. Throws what the
   * try throws; at the end, the error of the last TryLater. If the signal of the means is aborted, throws its reason.
   */
  async persist<T>(attempt: (signal: AbortSignal) => Promise<T>): Promise<T> {
    for (let failures = 0; ; failures++) {
      await this.#pause();
      try {
        const result = await this.#limited(attempt);
        this.#succeeded();
        return result;
      } catch (error) {
        if (!(error instanceof TryLater)) throw error;
        this.#failed = error.error;
        if (!error.isAtOnce) await this.#waitAfter(error, failures);
        else if (this.#left() <= 0) throw error.error;
      }
    }
  }

  #left(): number {
    return this.#end - this.#now();
  }

  #succeeded(): void {
    this.#pauses = 0;
    if (this.#means.deadline === undefined) this.#end = this.#now() + QUIET_LATER;
  }

  #now(): number {
    return this.#means.clock.monotonic();
  }

  async #pause(): Promise<void> {
    const left = this.#pausedUntil - this.#now();
    if (left > 0) await this.#sleep(left);
  }

  async #limited<T>(attempt: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, signal, deadline } = this.#means;
    if (deadline === undefined) return attempt(signal);
    const end = new AbortController();
    const over = () => end.abort(this.#failed);
    const timer = clock.after(this.#left(), over);
    try {
      return await attempt(AbortSignal.any([signal, end.signal]));
    } finally {
      timer.cancel();
    }
  }

  async #waitAfter({ error, wait, isRate }: TryLater, failures: number): Promise<void> {
    const isNewPause = isRate && this.#pausedUntil <= this.#now();
    if (isNewPause) this.#pauses++;
    const exponent = isRate ? this.#pauses - 1 : failures;
    const longest = Math.min(WAIT_FIRST * 2 ** Math.min(exponent, 10), WAIT_LONGEST);
    const delay = Math.max(wait, (longest * (1 + this.#means.random())) / 2);
    if (delay > this.#left()) throw error;
    if (isNewPause || (isRate && wait > 0)) {
      this.#pausedUntil = Math.max(this.#pausedUntil, this.#now() + delay);
    }
    await (isRate ? this.#pause() : this.#sleep(delay));
  }

  #sleep(milliseconds: number): Promise<void> {
    const { clock, signal } = this.#means;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // The timers of the clock do not keep the process running.
    const running = setInterval(() => undefined, WAIT_LONGEST);
    const timer = clock.after(milliseconds, resolve);
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
    return promise.finally(() => {
      clearInterval(running);
      timer.cancel();
      signal.removeEventListener("abort", stop);
    });
  }
}
