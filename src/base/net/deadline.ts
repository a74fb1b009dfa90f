// One deadline for a connection. Moving it only stores a number: when the running timer fires, it checks whether the
// deadline has moved meanwhile. So a busy connection sets a timer every few seconds instead of at every command.

import type { Clock, Timer } from "../clock.ts";

export class Deadline {
  readonly #clock: Clock;
  readonly #expired: () => void;
  #at = Number.POSITIVE_INFINITY;
  #timer: Timer | undefined;
  #firesAt = Number.POSITIVE_INFINITY;

  /** `expired` is called once for every deadline that passes. */
  constructor(clock: Clock, expired: () => void) {
    this.#clock = clock;
    this.#expired = expired;
  }

  /** Sets the deadline to `delay` milliseconds from now. */
  set(delay: number): void {
    this.#at = this.#clock.monotonic() + delay;
    if (this.#at < this.#firesAt) this.#arm(delay);
  }

  clear(): void {
    this.#at = Number.POSITIVE_INFINITY;
  }

  /** Clears the deadline for good and cancels the timer. */
  cancel(): void {
    this.clear();
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#firesAt = Number.POSITIVE_INFINITY;
  }

  #arm(delay: number): void {
    this.#timer?.cancel();
    this.#firesAt = this.#clock.monotonic() + delay;
    this.#timer = this.#clock.after(delay, () => this.#look());
  }

  #look(): void {
    this.#timer = undefined;
    this.#firesAt = Number.POSITIVE_INFINITY;
    const left = this.#at - this.#clock.monotonic();
    if (left <= 0) {
      this.clear();
      this.#expired();
    } else if (Number.isFinite(left)) {
      this.#arm(left);
    }
  }
}
