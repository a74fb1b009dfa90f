// Turns at the thread pool for files that may hang, on a network file system or a failing disk.
//
// Invariant: one file holds at most one thread, and all files together hold at most `places` threads. A call that hangs
// keeps its place until it returns. Further calls for the same file wait without a thread.

interface Waiting {
  readonly path: string;
  readonly begin: () => void;
}

export class FileTurns {
  readonly #places: number;
  readonly #busy = new Set<string>();
  readonly #waiting: Waiting[] = [];

  constructor(places: number) {
    this.#places = places;
  }

  /** Runs `call` when its turn comes. `call` must use one thread at a time. */
  async take<Result>(path: string, call: () => Promise<Result>): Promise<Result> {
    if (this.#mayBegin(path)) this.#busy.add(path);
    else await new Promise<void>((begin) => this.#waiting.push({ path, begin }));
    try {
      return await call();
    } finally {
      this.#busy.delete(path);
      this.#beginNext();
    }
  }

  #mayBegin(path: string): boolean {
    return this.#busy.size < this.#places && !this.#busy.has(path);
  }

  #beginNext(): void {
    const index = this.#waiting.findIndex(({ path }) => this.#mayBegin(path));
    const [next] = index === -1 ? [] : this.#waiting.splice(index, 1);
    if (next === undefined) return;
    this.#busy.add(next.path);
    next.begin();
  }
}
