// Fetches of policies, a bounded number at a time. A policy host that says nothing costs a minute; the others wait in
// line, and that line has an end.

/** Fetches at a time. */
const FETCHES_MAX = 50;
/** Those in line behind them. */
const LINE_MAX = 1000;

export class FetchLine {
  #running = 0;
  readonly #line: (() => void)[] = [];

  /** Undefined when the line is too long; else what `fetch` gives, when its turn has come. */
  run<T>(fetch: () => Promise<T>): Promise<T> | undefined {
    if (this.#running < FETCHES_MAX) return this.#now(fetch);
    if (this.#line.length >= LINE_MAX) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#line.push(resolve);
    return promise.then(() => this.#now(fetch));
  }

  async #now<T>(fetch: () => Promise<T>): Promise<T> {
    this.#running++;
    try {
      return await fetch();
    } finally {
      this.#running--;
      this.#line.shift()?.();
    }
  }
}
