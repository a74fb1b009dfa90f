// Who waits in the spool for a host or an account that can be used again, or has room again: they are woken a few at
// a time, and the next few when these have got through. So a queue of thousands follows the pace of its host, and
// does not knock all at once.
//
// Invariant: being forgotten here costs a delivery the time until its own next attempt, never more.

/** Makes at most `most` of those who wait for `key` due now. How many they were; never rejects. */
export type Wake = (key: string, most: number) => Promise<number>;

/** Woken at once. The next come when half of them have got through, so that connections do not run dry. */
const FEW = 50;

interface Crowd {
  /** Woken, and not known to have got through. */
  underWay: number;
  /** Somebody waits who was not woken. */
  more: boolean;
  waking: boolean;
}

export class Waiters {
  readonly #crowds = new Map<string, Crowd>();
  readonly #wake: Wake;

  constructor(wake: Wake) {
    this.#wake = wake;
  }

  /** Somebody waits for `key`. */
  add(key: string): void {
    const crowd = this.#crowds.get(key);
    if (crowd === undefined) this.#crowds.set(key, { underWay: 0, more: true, waking: false });
    else crowd.more = true;
  }

  /** A delivery to `key` has got through. */
  proceed(key: string): void {
    const crowd = this.#crowds.get(key);
    if (crowd === undefined) return;
    crowd.underWay = Math.max(0, crowd.underWay - 1);
    if (!crowd.more && crowd.underWay === 0) this.#crowds.delete(key);
    else this.wake(key);
  }

  /** `key` can be used. */
  wake(key: string): void {
    const crowd = this.#crowds.get(key);
    if (crowd === undefined || !crowd.more || crowd.waking || crowd.underWay > FEW / 2) return;
    void this.#wakeSome(key, crowd);
  }

  async #wakeSome(key: string, crowd: Crowd): Promise<void> {
    crowd.waking = true;
    crowd.more = false;
    const woken = await this.#wake(key, FEW);
    crowd.waking = false;
    crowd.underWay += woken;
    if (woken === FEW) crowd.more = true;
  }

  /** `key` has failed: who was woken waits again. */
  halt(key: string): void {
    const crowd = this.#crowds.get(key);
    if (crowd !== undefined) crowd.underWay = 0;
  }
}
