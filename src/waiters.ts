// Who waits in the spool for a host or an account that can be used again, or has room again: with each delivery that
// gets through, as many are woken as there is room for. So a queue of thousands follows the pace of its host, and
// does not knock all at once.
//
// Invariant: being forgotten here costs a delivery the time until its own next attempt, never more.

/** Makes at most `most` of those who wait for `key` due now. How many they were; never rejects. */
export type Wake = (key: string, most: number) => Promise<number>;

/** Never more at once. */
const FEW = 50;

interface Crowd {
  /** Somebody waits who was not woken. */
  more: boolean;
  waking: boolean;
  /** Some were woken on suspicion, and nothing has got through since. */
  tried: boolean;
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
    if (crowd === undefined) this.#crowds.set(key, { more: true, waking: false, tried: false });
    else crowd.more = true;
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
    if (!crowd.more && !crowd.tried) this.#crowds.delete(key);
  }
}
