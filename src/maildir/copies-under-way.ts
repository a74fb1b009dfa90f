// Copies whose writing goes on although their attempt is over, because a file system did not answer in time. The next
// attempt finds the copy here, and does not write another.
//
// Invariant: one file for a copy, however often it is asked for while the file system hangs.

/** Copies that are remembered until their next attempt; one that is forgotten is looked for in the Maildir. */
const REMEMBERED_MAX = 1000;

interface Left {
  /** Gives the path of the file. */
  readonly written: Promise<string>;
  /** When it has been written. */
  path: string | undefined;
}

export class CopiesUnderWay {
  readonly #copies = new Map<string, Left>();

  /** What an earlier attempt has left, if it has. */
  find(copy: string): Left | undefined {
    return this.#copies.get(copy);
  }

  /** Its attempt ends, and does not wait for it. */
  leave(copy: string, written: Promise<string>): void {
    const left: Left = { written, path: undefined };
    this.#copies.set(copy, left);
    written.then(
      (path) => (left.path = path),
      () => this.#copies.get(copy) === left && this.#copies.delete(copy),
    );
    for (const [oldest] of this.#copies) {
      if (this.#copies.size <= REMEMBERED_MAX) return;
      this.#copies.delete(oldest);
    }
  }

  /** An attempt has taken its end for its own. */
  forget(copy: string): void {
    this.#copies.delete(copy);
  }
}
