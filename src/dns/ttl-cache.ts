// A bounded memory of answers, each with its own time to live. When it is full, what was not asked for longest goes.

import type { Clock } from "../clock.ts";

interface Remembered<T> {
  readonly value: T;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

export class TtlCache<T> {
  readonly #clock: Clock;
  readonly #entriesMax: number;
  /** In the order of their last use. */
  readonly #entries = new Map<string, Remembered<T>>();

  constructor(clock: Clock, entriesMax: number) {
    this.#clock = clock;
    this.#entriesMax = entriesMax;
  }

  get(key: string): T | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    if (entry.until <= this.#clock.now()) return undefined;
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** `ttl` in milliseconds; nothing is remembered for no time. */
  set(key: string, value: T, ttl: number): void {
    this.#entries.delete(key);
    if (ttl <= 0) return;
    if (this.#entries.size >= this.#entriesMax) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    this.#entries.set(key, { value, until: this.#clock.now() + ttl });
  }
}
