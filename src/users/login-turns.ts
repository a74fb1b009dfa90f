// Turns for judging passwords. Argon2 is expensive by intention, and strangers can ask for it.
//
// Invariants:
// - One password is judged at a time: mail goes on beside, and the memory of the hashes is bounded.
// - Clients that have logged in before come first, and always get a turn. Of the others, only few may wait.

/** Strangers that may wait: some two seconds of work. */
const WAITING_MAX = 64;

export class LoginTurns {
  readonly #known: (() => void)[] = [];
  readonly #strangers: (() => void)[] = [];
  #isBusy = false;

  /** Runs `judge` when its turn comes. Resolves to undefined, without a turn, if too many strangers wait. */
  async take<T>(isKnown: boolean, judge: () => Promise<T>): Promise<T | undefined> {
    if (!this.#isBusy) {
      this.#isBusy = true;
    } else {
      const line = isKnown ? this.#known : this.#strangers;
      if (!isKnown && line.length >= WAITING_MAX) return undefined;
      await new Promise<void>((begin) => line.push(begin));
    }
    try {
      return await judge();
    } finally {
      const next = this.#known.shift() ?? this.#strangers.shift();
      if (next === undefined) this.#isBusy = false;
      else next();
    }
  }
}
