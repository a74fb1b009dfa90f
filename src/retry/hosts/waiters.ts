// Wakes recipients in the spool that wait for a host or an account, when it works or has room again. Each successful
// delivery wakes as many as the host has room for. So a queue of thousands follows the pace of its host, and
// its messages do not connect all at once. A crowd is the set of recipients that wait for one key.
//
// Invariants: a recipient that is dropped here comes back at its own next attempt, and no later. The number of crowds is
// limited. A crowd is removed if its host has no hint and no recipient has joined it for a day.

/** Makes at most `most` recipients that wait for `key` due now. Resolves to their number; never rejects. */
export type Wake = (key: string, most: number) => Promise<number>;

/** Recipients that are woken at once, at most. */
const FEW = 50;

/** Crowds, at most; beyond that, the crowd that was joined longest ago is dropped. */
const CROWDS_MAX = 20_000;

interface Crowd {
  /** Whether a recipient may wait that was not woken. */
  more: boolean;
  waking: boolean;
  /** Whether `suspect` has woken recipients, and no delivery has succeeded since. */
  tried: boolean;
  /** Whether no recipient has joined since the last sweep. */
  old: boolean;
}

export class Waiters {
  readonly #crowds = new Map<string, Crowd>();
  readonly #wake: Wake;

  constructor(wake: Wake) {
    this.#wake = wake;
  }

  /** Notes that a recipient waits for `key`. */
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

  /** Called once a day. `isKnown` says whether a hint exists for the key. */
  sweep(isKnown: (key: string) => boolean): void {
    for (const [key, crowd] of this.#crowds) {
      if (crowd.old && !isKnown(key)) this.#crowds.delete(key);
      crowd.old = true;
    }
  }

  get size(): number {
    return this.#crowds.size;
  }

  /** Notes that a delivery to `key` has succeeded, and that `room` more may follow. */
  proceed(key: string, room: number): void {
    const crowd = this.#crowds.get(key);
    if (crowd === undefined) return;
    crowd.tried = false;
    if (room > 0) void this.#wakeSome(key, crowd, Math.min(room, FEW));
  }

  /** Wakes some recipients, because `key` may work again since they began to wait. */
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
    // The crowd may have been dropped and replaced meanwhile.
    if (!crowd.more && !crowd.tried && this.#crowds.get(key) === crowd) this.#crowds.delete(key);
  }
}
