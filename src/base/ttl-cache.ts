// A bounded memory of answers, each with its own time to live. When it is full, the least recently used answers are
// dropped.
//
// Invariant: the sizes of all entries together never exceed the bound.

import type { Clock } from "./clock.ts";

interface Remembered<T> {
  readonly value: T;
  readonly size: number;
  /** Expiry by the monotonic clock, so setting the wall clock does not make an answer last longer. */
  readonly until: number;
}

type Size<T> = (key: string, value: T) => number;

export class TtlCache<T> {
  readonly #clock: Clock;
  readonly #sizeMax: number;
  readonly #sizeOf: Size<T>;
  /** The least recently used entry is first. */
  readonly #entries = new Map<string, Remembered<T>>();
  #size = 0;

  /** `sizeMax` in the unit of `sizeOf`; without `sizeOf` it is a number of entries. */
  constructor(clock: Clock, sizeMax: number, sizeOf: Size<T> = () => 1) {
    this.#clock = clock;
    this.#sizeMax = sizeMax;
    this.#sizeOf = sizeOf;
  }

  get(key: string): T | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.until <= this.#clock.monotonic()) {
      this.#forget(key, entry);
      return undefined;
    }
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** `ttl` in milliseconds. A value with no time to live, or one larger than the whole cache, is not remembered. */
  set(key: string, value: T, ttl: number): void {
    const before = this.#entries.get(key);
    if (before !== undefined) this.#forget(key, before);
    const size = this.#sizeOf(key, value);
    if (ttl <= 0 || size > this.#sizeMax) return;
    for (const [oldest, entry] of this.#entries) {
      if (this.#size + size <= this.#sizeMax) break;
      this.#forget(oldest, entry);
    }
    this.#entries.set(key, { value, size, until: this.#clock.monotonic() + ttl });
    this.#size += size;
  }

  #forget(key: string, { size }: Remembered<T>): void {
    this.#entries.delete(key);
    this.#size -= size;
  }
}
