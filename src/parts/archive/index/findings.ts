// What a walk cannot look at: directories without permission, links, names that are not UTF-8. The others go on.

/** The number of findings that are kept, with their paths, for the log and the status. */
const KEPT_MAX = 20;

export interface Finding {
  readonly path: string;
  readonly why: string;
}

export class Findings {
  readonly #kept: Finding[] = [];
  #count = 0;

  add(path: string, why: string): void {
    this.#count += 1;
    if (this.#kept.length < KEPT_MAX) this.#kept.push({ path, why });
  }

  /** The first ones. */
  get kept(): readonly Finding[] {
    return this.#kept;
  }

  /** The number of all of them. */
  get count(): number {
    return this.#count;
  }
}
