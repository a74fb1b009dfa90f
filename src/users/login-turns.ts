// Turns for judging passwords. Argon2 is expensive by intention, and strangers can ask for it.
//
// Invariants:
// - One password is judged at a time: mail goes on beside, and the memory of the hashes is bounded.
// - Clients that have logged in before come first. Then come those that have done nothing wrong, the last one first:
//   behind a flood from many addresses, a user who comes now does not wait for all of it.
// - Of clients with wrong passwords, only few may wait.

/** What is known of a client at the time of its login. */
type Standing = "known" | "clean" | "suspect";

/** Suspects that may wait: some two seconds of work. */
const SUSPECTS_MAX = 64;

export class LoginTurns {
  readonly #waiting: Readonly<Record<Standing, (() => void)[]>> = {
    known: [],
    clean: [],
    suspect: [],
  };
  #isBusy = false;

  /** Runs `judge` when its turn comes. Resolves to undefined, without a turn, if too many suspects wait. */
  async take<T>(standing: Standing, judge: () => Promise<T>): Promise<T | undefined> {
    if (!this.#isBusy) {
      this.#isBusy = true;
    } else {
      const line = this.#waiting[standing];
      if (standing === "suspect" && line.length >= SUSPECTS_MAX) return undefined;
      await new Promise<void>((begin) => line.push(begin));
    }
    try {
      return await judge();
    } finally {
      const { known, clean, suspect } = this.#waiting;
      const next = known.shift() ?? clean.pop() ?? suspect.shift();
      if (next === undefined) this.#isBusy = false;
      else next();
    }
  }
}
