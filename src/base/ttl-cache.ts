// A bounded memory of answers, each with its own time to live. When it is full, what was not asked for longest goes.
//
// Invariant: the sizes of all entries together never exceed the bound.

import type { Clock } from "./clock.ts";

interface Remembered<T> {
  readonly value: T;
  readonly size: number;
  /** By the monotonic clock: nobody who sets the time makes an answer last. */
  readonly until: number;
}

type Size<T> = (key: string, value: T) => number;

export class TtlCache<T> {
  readonly #clock: Clock;
  readonly #sizeMax: number;
  readonly #sizeOf: Size<T>;
  /** In the order of their last use. */
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

  /** `ttl` in milliseconds; nothing is remembered for no time, nor what is larger than all the memory. */
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
