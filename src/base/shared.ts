// Things of which there is one for all who name it alike, as long as somebody has it. So a reload does not hold in
// memory a second time what it has not changed.

export interface Closable {
  close(): Promise<void>;
}

export class Shared<T extends Closable> {
  readonly #held = new Map<string, { readonly value: T; holders: number }>();

  /** `make` is called if nobody has one. `leave` must follow, once for each `take`. */
  take(key: string, make: () => T): T {
    let held = this.#held.get(key);
    if (held === undefined) {
      held = { value: make(), holders: 0 };
      this.#held.set(key, held);
    }
    held.holders += 1;
    return held.value;
  }

  /** Closes what nobody has any more. */
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
