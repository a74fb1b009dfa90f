// Tells the archive's process of new copies, from the relay's process.
//
// Invariants: the relay never waits for the archive, and at most PATHS_MAX paths are in memory. If nobody listens, paths
// are dropped at once: the archive's next walk finds their files.

import { askSocket } from "../../archive/archive.ts";
import type { Clock } from "../../base/clock.ts";

const PATHS_MAX = 10_000;
const PATHS_AT_ONCE = 1000;

/** ms in which paths are gathered for one order. */
const GATHER = 100;

/** ms for which paths are dropped after an order that failed. */
const SILENCE = 2000;

export class NewCopies {
  readonly #clock: Clock;
  readonly #socket: string;
  #paths: string[] = [];
  #isTelling = false;
  #silentUntil = -Infinity;

  constructor(clock: Clock, socket: string) {
    this.#clock = clock;
    this.#socket = socket;
  }

  /** Returns at once. */
  add(path: string): void {
    if (this.#paths.length >= PATHS_MAX || this.#clock.monotonic() < this.#silentUntil) return;
    this.#paths.push(path);
    if (this.#isTelling) return;
    this.#isTelling = true;
    this.#clock.after(GATHER, () => void this.#tell());
  }

  async #tell(): Promise<void> {
    const paths = this.#paths.splice(0, PATHS_AT_ONCE);
    try {
      await drained(askSocket(this.#socket, "arrived", { paths }));
    } catch {
      this.#paths = [];
      this.#silentUntil = this.#clock.monotonic() + SILENCE;
    }
    this.#isTelling = this.#paths.length > 0;
    if (this.#isTelling) void this.#tell();
  }
}

async function drained(values: AsyncIterable<object>): Promise<void> {
  for await (const _ of values);
}
