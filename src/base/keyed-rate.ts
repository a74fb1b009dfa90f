// A rate limit for each of many keys: clients, senders, rules. It is the generic cell rate algorithm: a window's whole
// count may come at once, then evenly. Each key costs one number.
//
// Invariant: at most KEYS_MAX keys are remembered. When the table is full, keys whose window is unused are dropped
// first, then the least recently used.

import type { Clock } from "./clock.ts";

const KEYS_MAX = 100_000;

/** `count` per `window` milliseconds. */
export interface Rate {
  readonly count: number;
  readonly window: number;
}

export class KeyedRate {
  readonly #gap: number;
  readonly #window: number;
  readonly #clock: Clock;
  /** For each key, the time at which its window will be unused again. The most recently used key is last. */
  readonly #freeAt = new Map<string, number>();

  constructor({ count, window }: Rate, clock: Clock) {
    this.#gap = window / count;
    this.#window = window;
    this.#clock = clock;
  }

  /** Whether `count` more are allowed now. */
  has(key: string, count = 1): boolean {
    return this.#after(key, count, this.#clock.monotonic()) !== undefined;
  }

  /** Takes `count` if they are allowed, and returns whether it did. */
  take(key: string, count = 1): boolean {
    const now = this.#clock.monotonic();
    const freeAt = this.#after(key, count, now);
    if (freeAt === undefined) return false;
    this.#freeAt.delete(key);
    this.#freeAt.set(key, freeAt);
    if (this.#freeAt.size > KEYS_MAX) this.#forget(now);
    return true;
  }

  /** The time at which the window would be unused again after `count` more. Undefined when that is above the rate. */
  #after(key: string, count: number, now: number): number | undefined {
    const freeAt = Math.max(this.#freeAt.get(key) ?? 0, now) + this.#gap * count;
    return freeAt > now + this.#window + this.#gap / 2 ? undefined : freeAt;
  }

  #forget(now: number): void {
    for (const [key, freeAt] of this.#freeAt) {
      if (freeAt > now && this.#freeAt.size <= KEYS_MAX) break;
      this.#freeAt.delete(key);
    }
  }
}
