// Copies whose writing goes on after their attempt, because a file system did not answer in time. The next
// attempt finds the copy here, and does not write another.
//
// Invariant: a copy gets one file, however many attempts are made while the file system hangs.

/** Copies in memory until their next attempt. For any other copy, the attempt looks in the Maildir. */
const REMEMBERED_MAX = 1000;

interface Left {
  /** Resolves to the path of the file. */
  readonly written: Promise<string>;
  /** The path, once the file is written. */
  path: string | undefined;
}

export class CopiesUnderWay {
  readonly #copies = new Map<string, Left>();

  /** The copy that an earlier attempt has left, if any. */
  find(copy: string): Left | undefined {
    return this.#copies.get(copy);
  }

  /** Keeps a copy whose attempt ends before it is written. */
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

  /** Drops a copy whose result an attempt has used. */
  forget(copy: string): void {
    this.#copies.delete(copy);
  }
}
