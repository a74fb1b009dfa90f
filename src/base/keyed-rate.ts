// A rate for each of many: clients, senders, rules. The generic cell rate algorithm: a window's worth at once, then
// evenly, with one number to remember for each.
//
// Invariant: what is remembered is bounded. Who is forgotten is he whose window is unused, or has not come for longest.

import type { Clock } from "./clock.ts";

const KEYS_MAX = 100_000;

/** So many in so many milliseconds. */
export interface Rate {
  readonly count: number;
  readonly window: number;
}

export class KeyedRate {
  readonly #gap: number;
  readonly #window: number;
  readonly #clock: Clock;
  /** When the window of each will be unused again, the one that came last at the end. */
  readonly #freeAt = new Map<string, number>();

  constructor({ count, window }: Rate, clock: Clock) {
    this.#gap = window / count;
    this.#window = window;
    this.#clock = clock;
  }

  /** Could so many more be taken? */
  has(key: string, count = 1): boolean {
    return this.#after(key, count, this.#clock.monotonic()) !== undefined;
  }

  /** Takes so many, if they are there; else none. */
  take(key: string, count = 1): boolean {
    const now = this.#clock.monotonic();
    const freeAt = this.#after(key, count, now);
    if (freeAt === undefined) return false;
    this.#freeAt.delete(key);
    this.#freeAt.set(key, freeAt);
    if (this.#freeAt.size > KEYS_MAX) this.#forget(now);
    return true;
  }

  /** When the window would be unused again behind so many more; undefined when that is too many. */
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
