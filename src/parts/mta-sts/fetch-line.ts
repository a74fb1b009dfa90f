// Fetches of policies, a bounded number at a time. A policy host that does not answer takes a minute. Other fetches wait
// in a line of bounded length.

/** Fetches at a time. */
const FETCHES_MAX = 50;
/** Fetches that wait in line. */
const LINE_MAX = 1000;

export class FetchLine {
  #running = 0;
  readonly #line: (() => void)[] = [];

  /** The result of `fetch`, which is called when it is first in line. Undefined if the line is full. */
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
