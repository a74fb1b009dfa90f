// Addresses that could not be reached a moment ago. They are tried after all others, so that one dead host does
// not hold up every message by its connect timeout. In memory only: after a restart each gets a new chance.

import type { Clock } from "../../src/clock.ts";

/** How long a failure counts, in milliseconds. */
const MEMORY = 60_000;
const MOST = 10_000;

export class RecentFailures {
  readonly #clock: Clock;
  readonly #until = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  has(address: string): boolean {
    const until = this.#until.get(address);
    if (until === undefined) return false;
    if (until > this.#clock.now()) return true;
    this.#until.delete(address);
    return false;
  }

  add(address: string): void {
    // Bounded: the oldest is forgotten.
    const oldest = this.#until.keys().next().value;
    if (oldest !== undefined && this.#until.size >= MOST) this.#until.delete(oldest);
    this.#until.delete(address);
    this.#until.set(address, this.#clock.now() + MEMORY);
  }

  delete(address: string): void {
    this.#until.delete(address);
  }
}
