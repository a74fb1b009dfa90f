// What all sessions together may do in one turn of the event loop, and what one client may take of it in the long run.
// A thousand clients that each send a megabyte at once, or go away at once, are many small pieces of work that Node
// hands over in one turn: this cuts them up.
//
// Invariants: the work of one account is done in the order in which it came. Accounts that have work waiting take
// turns, one piece each, however many sessions an account has. From one turn to the next, no more is begun than the
// share allows, nor when the turn has lasted its time: what a piece costs is known only roughly beforehand. An account
// that owes time rests until it has it, while others are there that owe none.

import type { Account, Party } from "./loop-account.ts";

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

/** Milliseconds for which an account counts as being there behind its last piece of work. */
const PRESENCE = 1000;
/** The longest that an account rests before it is looked whether others are still there, in ms. */
const REST_MAX = 200;
/** The longest piece of work, in ms. What lasts longer was interrupted by another process, for which no client pays. */
const PIECE_MAX = 3;

type Work = () => void;

interface Waiting {
  readonly work: Work;
  readonly party: Party;
}

export interface LoopShareTimes {
  /** A clock that never goes back, in ms. */
  now(): number;
  after(milliseconds: number, act: () => void): void;
}

const REAL_TIMES: LoopShareTimes = {
  now: () => performance.now(),
  after: (milliseconds, act) => void setTimeout(act, milliseconds).unref(),
};

export class LoopShare {
  readonly #times: LoopShareTimes;
  #left = SHARE;
  #endAt = Number.POSITIVE_INFINITY;
  #sliceLeft = SLICE;
  /** The share is renewed in the next turn. */
  #armed = false;
  readonly #waiting = new Map<Account | undefined, Waiting[]>();
  /** Accounts with work that waits and with time for it, in their order. */
  readonly #ready = new Set<Account | undefined>();
  /** The account without debts that worked last, and the one before it; and when. */
  #last: Account | undefined;
  #lastAt = Number.NEGATIVE_INFINITY;
  #beforeAt = Number.NEGATIVE_INFINITY;

  constructor(times: LoopShareTimes = REAL_TIMES) {
    this.#times = times;
  }

  get #isSpent(): boolean {
    return this.#left <= 0 || this.#times.now() >= this.#endAt;
  }

  /** Pieces of work of this account that wait. */
  waitingOf(account: Account): number {
    return this.#waiting.get(account)?.length ?? 0;
  }

  /** Does `work` now if the turn has something left and nobody waits, else when its time comes. */
  do(work: Work, party: Party = COMMON): void {
    const { account } = party;
    const mustWait =
      this.#ready.size > 0 ||
      this.#waiting.has(account) ||
      this.#isSpent ||
      this.#restOf(account) > 0;
    if (mustWait) return this.later(work, party);
    this.#carryOut({ work, party });
  }

  /**
   * For work of many pieces that also waits for other things: undefined while the turn has something left, else a
   * promise of a later one.
   */
  turn(cost: number): Promise<void> | undefined {
    if (this.#ready.size === 0 && !this.#isSpent) {
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
  later(work: Work, party: Party = COMMON): void {
    const { account } = party;
    const waiting = this.#waiting.get(account);
    if (waiting !== undefined) {
      waiting.push({ work, party });
      return;
    }
    this.#waiting.set(account, [{ work, party }]);
    this.#ready.add(account);
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

  #carryOut({ work, party }: Waiting): void {
    this.#sliceLeft = SLICE;
    const { account } = party;
    if (account === undefined) return work();
    const begun = this.#times.now();
    if (account.restOf(begun) === 0) this.#note(account, begun);
    work();
    const ended = this.#times.now();
    party.charge(Math.min(ended - begun, PIECE_MAX), ended);
  }

  #note(account: Account, now: number): void {
    if (this.#last !== account) {
      this.#last = account;
      this.#beforeAt = this.#lastAt;
    }
    this.#lastAt = now;
  }

  /** Milliseconds; 0 when it may go on. */
  #restOf(account: Account | undefined): number {
    if (account === undefined) return 0;
    const now = this.#times.now();
    const othersAt = this.#last === account ? this.#beforeAt : this.#lastAt;
    return now - othersAt < PRESENCE ? Math.min(account.restOf(now), REST_MAX) : 0;
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    if (this.#endAt === Number.POSITIVE_INFINITY) this.#endAt = this.#times.now() + TIME;
    setImmediate(this.#onTurn);
  }

  readonly #onTurn = (): void => {
    this.#armed = false;
    this.#left = SHARE;
    this.#endAt = this.#times.now() + TIME;
    while (!this.#isSpent) {
      const next = this.#next();
      if (next === undefined) break;
      this.#carryOut(next);
    }
    if (this.#ready.size > 0) this.#arm();
    else if (!this.#armed) this.#endAt = Number.POSITIVE_INFINITY;
  };

  /** The first piece of the account whose turn it is. That account stands last then; one that owes time is left out. */
  #next(): Waiting | undefined {
    for (const account of this.#ready) {
      this.#ready.delete(account);
      const rest = this.#restOf(account);
      if (rest > 0) {
        this.#times.after(rest, () => {
          this.#ready.add(account);
          this.#arm();
        });
        continue;
      }
      const waiting = this.#waiting.get(account) ?? [];
      const next = waiting.shift();
      if (waiting.length > 0) this.#ready.add(account);
      else this.#waiting.delete(account);
      if (next !== undefined) return next;
    }
    return undefined;
  }
}

/** Work that no client is charged with. */
const COMMON: Party = { account: undefined, charge: () => undefined };
