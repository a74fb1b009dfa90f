// Pieces of work that never run at the same time: a deletion, and the making of a hold.

export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs the work after all work before it has ended, well or not. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work, work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
