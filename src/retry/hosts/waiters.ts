// Who waits in the spool for a host or an account that can be used again, or has room again: with each delivery that
// gets through, as many are woken as there is room for. So a queue of thousands follows the pace of its host, and
// does not knock all at once.
//
// Invariants: being forgotten here costs a delivery the time until its own next attempt, never more. Crowds are never
// more than a fixed number; one for a host of which nothing is known, and that nobody has joined for a day, is swept.

/** Makes at most `most` of those who wait for `key` due now. How many they were; never rejects. */
export type Wake = (key: string, most: number) => Promise<number>;

/** Never more at once. */
const FEW = 50;

/** When there are more, the one that somebody joined longest ago is forgotten. */
const CROWDS_MAX = 20_000;

interface Crowd {
  /** Somebody waits who was not woken. */
  more: boolean;
  waking: boolean;
  /** Some were woken on suspicion, and nothing has got through since. */
  tried: boolean;
  /** Nobody has joined since the last sweep. */
  old: boolean;
}

export class Waiters {
  readonly #crowds = new Map<string, Crowd>();
  readonly #wake: Wake;

  constructor(wake: Wake) {
    this.#wake = wake;
  }

  /** Somebody waits for `key`. */
  add(key: string): void {
    const crowd = this.#crowds.get(key) ?? { more: true, waking: false, tried: false, old: false };
    crowd.more = true;
    crowd.old = false;
    this.#crowds.delete(key);
    this.#crowds.set(key, crowd);
    if (this.#crowds.size > CROWDS_MAX) {
      const [first] = this.#crowds.keys();
      if (first !== undefined) this.#crowds.delete(first);
    }
  }

  forget(key: string): void {
    this.#crowds.delete(key);
  }

  /** Once a day. `isKnown`: there is a hint to wait for. */
  sweep(isKnown: (key: string) => boolean): void {
    for (const [key, crowd] of this.#crowds) {
      if (crowd.old && !isKnown(key)) this.#crowds.delete(key);
      crowd.old = true;
    }
  }

  get size(): number {
    return this.#crowds.size;
  }

  /** A delivery to `key` has got through, and there is room for so many more. */
  proceed(key: string, room: number): void {
    const crowd = this.#crowds.get(key);
    if (crowd === undefined) return;
    crowd.tried = false;
    if (room > 0) void this.#wakeSome(key, crowd, Math.min(room, FEW));
  }

  /** `key` may have been used again since those who wait for it have begun to. */
  suspect(key: string): void {
    const crowd = this.#crowds.get(key);
    if (crowd === undefined || crowd.tried) return;
    crowd.tried = true;
    void this.#wakeSome(key, crowd, FEW);
  }

  async #wakeSome(key: string, crowd: Crowd, most: number): Promise<void> {
    if (crowd.waking || !crowd.more) return;
    crowd.waking = true;
    crowd.more = false;
    const woken = await this.#wake(key, most);
    crowd.waking = false;
    if (woken >= most) crowd.more = true;
    // It may have been forgotten meanwhile, and another have come in its place.
    if (!crowd.more && !crowd.tried && this.#crowds.get(key) === crowd) this.#crowds.delete(key);
  }
}
