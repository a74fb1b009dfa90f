// Turns for judging passwords. Argon2 is expensive by intention, and strangers can ask for it.
//
// Invariants:
// - Few passwords are judged at a time: mail goes on beside, and the memory of the hashes is bounded.
// - Clients that have logged in before come first, and always get a turn. Of the others, only few may wait.

import { availableParallelism } from "node:os";

/** Half of the processors, and at most half of the four threads of the pool. */
const AT_ONCE = Math.min(2, Math.max(1, Math.floor(availableParallelism() / 2)));
/** Strangers that may wait: some two seconds of work. */
const WAITING_MAX = 64;

export class LoginTurns {
  readonly #atOnce: number;
  readonly #known: (() => void)[] = [];
  readonly #strangers: (() => void)[] = [];
  #running = 0;

  constructor(atOnce = AT_ONCE) {
    this.#atOnce = atOnce;
  }

  /** Runs `judge` when its turn comes. Resolves to undefined, without a turn, if too many strangers wait. */
  async take<T>(isKnown: boolean, judge: () => Promise<T>): Promise<T | undefined> {
    if (this.#running < this.#atOnce) {
      this.#running++;
    } else {
      const line = isKnown ? this.#known : this.#strangers;
      if (!isKnown && line.length >= WAITING_MAX) return undefined;
      await new Promise<void>((begin) => line.push(begin));
    }
    try {
      return await judge();
    } finally {
      const next = this.#known.shift() ?? this.#strangers.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
