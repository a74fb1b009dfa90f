// Things that exist once for all holders that use the same key, as long as at least one holder is left. So a reload
// does not keep a second copy of what it has not changed.

export interface Closable {
  close(): Promise<void>;
}

export class Shared<T extends Closable> {
  readonly #held = new Map<string, { readonly value: T; holders: number }>();

  /** Calls `make` if the key has no holder yet. Each `take` must be followed by one `leave`. */
  take(key: string, make: () => T): T {
    let held = this.#held.get(key);
    if (held === undefined) {
      held = { value: make(), holders: 0 };
      this.#held.set(key, held);
    }
    held.holders += 1;
    return held.value;
  }

  /** Gives up one hold. The last one closes the value. */
  async leave(key: string): Promise<void> {
    const held = this.#held.get(key);
    if (held === undefined) return;
    held.holders -= 1;
    if (held.holders > 0) return;
    this.#held.delete(key);
    await held.value.close();
  }

  values(): T[] {
    return Array.from(this.#held.values(), ({ value }) => value);
  }
}
