// What all sessions together may do in one turn of the event loop. A thousand clients that each send a megabyte at
// once, or go away at once, are many small pieces of work that Node hands over in one turn: this cuts them up.
//
// Invariants: work that waits is done in the order in which it came, and nothing overtakes it. From one turn to the
// next, no more is begun than the share allows, nor when the turn has lasted its time: what a piece costs is known
// only roughly beforehand.

/** The cost of work is counted in octets of a message; the rest is set against that. */
const SHARE = 512 * 1024;
/** A command with its reply, or an end: about what so many octets cost. */
export const COMMAND_COST = 4096;
/** The beginning of a TLS handshake: a signature, by an RSA key of 4096 bits four milliseconds. */
export const HANDSHAKE_COST = 128 * 1024;
/** What one session may do before it is another one's turn. */
const SLICE = 64 * 1024;

/** Of a turn, in ms. */
const TIME = 20;

export class LoopShare {
  readonly #now: () => number;
  #left = SHARE;
  #endAt = Number.POSITIVE_INFINITY;
  #sliceLeft = SLICE;
  /** The share is renewed in the next turn. */
  #armed = false;
  #waiting: (() => void)[] = [];

  /** `now` is a clock that never goes back, in ms. */
  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  get #isSpent(): boolean {
    return this.#left <= 0 || this.#now() >= this.#endAt;
  }

  /** Does `work` now if the turn has something left and nobody waits, else when its time comes. */
  do(work: () => void): void {
    if (this.#waiting.length > 0 || this.#isSpent) return this.later(work);
    this.#sliceLeft = SLICE;
    work();
  }

  /**
   * For work of many pieces that also waits for other things: undefined while the turn has something left, else a
   * promise of a later one.
   */
  turn(cost: number): Promise<void> | undefined {
    if (this.#waiting.length === 0 && !this.#isSpent) {
      this.#left -= cost;
      this.#arm();
      return undefined;
    }
    return new Promise((resolve) => {
      this.later(() => {
        this.#left -= cost;
        resolve();
      });
    });
  }

  /** Does `work` in a later turn, or later in this one. */
  later(work: () => void): void {
    this.#waiting.push(work);
    this.#arm();
  }

  /** To be said before each piece of work. False when the rest has to wait: it is to be handed to `later`. */
  take(cost: number): boolean {
    if (this.#sliceLeft <= 0 || this.#isSpent) return false;
    this.#left -= cost;
    this.#sliceLeft -= cost;
    this.#arm();
    return true;
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    if (this.#endAt === Number.POSITIVE_INFINITY) this.#endAt = this.#now() + TIME;
    setImmediate(this.#onTurn);
  }

  readonly #onTurn = (): void => {
    this.#armed = false;
    this.#left = SHARE;
    this.#endAt = this.#now() + TIME;
    const waiting = this.#waiting;
    // What is to be done later from here on stands behind those who wait already.
    let begun = 0;
    while (begun < waiting.length && !this.#isSpent) {
      this.#sliceLeft = SLICE;
      waiting[begun++]?.();
    }
    waiting.splice(0, begun);
    if (waiting.length > 0) this.#arm();
    else if (!this.#armed) this.#endAt = Number.POSITIVE_INFINITY;
  };
}
