// How many files are written at once. On a fast disk every further writer only fights with the others for the
// directory, at a fifth more of the work; on a slow one, writers that wait together are what makes it bearable.
// So the width follows how long the disk takes.

/** Writers at once, at the least and at the most. */
const NARROWEST = 3;
const WIDEST = 16;
/** Writers for each millisecond that a sync takes. */
const PER_MILLISECOND = 4;
/** What the latest sync counts for in the mean. */
const WEIGHT = 0.1;

export class Lanes {
  #mean = 0;
  #busy = 0;
  readonly #waiting: (() => void)[] = [];

  /** Resolves when there is a lane; who has one must `leave` it. */
  enter(): Promise<void> | undefined {
    if (this.#busy < this.#width) {
      this.#busy++;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  leave(): void {
    this.#busy--;
    while (this.#busy < this.#width) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#busy++;
      next();
    }
  }

  /** A sync took so many milliseconds. */
  learn(duration: number): void {
    this.#mean += (duration - this.#mean) * WEIGHT;
  }

  get #width(): number {
    return Math.min(WIDEST, Math.max(NARROWEST, Math.round(this.#mean * PER_MILLISECOND)));
  }
}
