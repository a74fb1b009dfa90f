// Limits the work that all sessions together do in one turn of the event loop, and the share that one client takes in
// the long run. When a thousand clients each send a megabyte at once, or disconnect at once, Node hands over thousands
// of small pieces of work in one turn. LoopShare spreads them over several turns.
//
// Invariants:
//
// - The work of one account is done in the order in which it arrived.
// - Accounts with waiting work take turns, one piece each, however many sessions an account has.
// - In one turn, no piece begins once the share or the time of the turn is used up. The cost of a piece is known only
//   roughly beforehand, so both limits are needed.
// - An account that owes time rests until it is paid, while other accounts are active that owe none.

import type { LoopAccount, Party } from "./loop-account.ts";

/** Octets of a message that one turn may process. The cost of other work is expressed in octets as well. */
const SHARE = 512 * 1024;
/** The cost of a command with its reply, or of the end of a session. */
export const COMMAND_COST = 4096;
/** The cost of beginning a TLS handshake: one signature, which takes four milliseconds with an RSA key of 4096 bits. */
export const HANDSHAKE_COST = 128 * 1024;
/** Cost that one session may use before it is another session's turn. */
const SLICE = 64 * 1024;

/** Longest duration of a turn, in ms. */
const TIME = 20;

/** Milliseconds after its last piece of work for which an account counts as active. */
const PRESENCE = 1000;
/** Longest rest in ms before the relay checks again whether other accounts are active. */
const REST_MAX = 200;
/**
 * Most milliseconds that a piece of work is charged for. A longer piece was interrupted by another process, and the
 * client does not pay for that.
 */
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
  /** A callback is scheduled that renews the share in the next turn. */
  #armed = false;
  readonly #waiting = new Map<LoopAccount | undefined, Waiting[]>();
  /** Accounts that have waiting work and do not rest, in the order of their turns. */
  readonly #ready = new Set<LoopAccount | undefined>();
  /** The account without debts that worked last, when it worked, and when a different one worked before it. */
  #last: LoopAccount | undefined;
  #lastAt = Number.NEGATIVE_INFINITY;
  #beforeAt = Number.NEGATIVE_INFINITY;

  constructor(times: LoopShareTimes = REAL_TIMES) {
    this.#times = times;
  }

  get #isSpent(): boolean {
    return this.#left <= 0 || this.#times.now() >= this.#endAt;
  }

  /** Number of pieces of work of this account that wait. */
  waitingOf(account: LoopAccount): number {
    return this.#waiting.get(account)?.length ?? 0;
  }

  /** Does `work` now if the turn has share left and no other work waits. Otherwise does it later, like `later`. */
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
   * For work of many pieces that also waits for other things. Returns undefined while the turn has share left,
   * otherwise a promise that resolves in a later turn.
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

  /**
   * Must be called before each piece of work. Returns false when the caller has to stop and hand the rest to `later`.
   */
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

  #note(account: LoopAccount, now: number): void {
    if (this.#last !== account) {
      this.#last = account;
      this.#beforeAt = this.#lastAt;
    }
    this.#lastAt = now;
  }

  /** Milliseconds that the account has to rest; 0 when it may work. */
  #restOf(account: LoopAccount | undefined): number {
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

  /**
   * Removes and returns the first piece of the next account. That account goes to the end of the order. Accounts that
   * owe time are left out until they have rested.
   */
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

/** Work that is charged to no client. */
const COMMON: Party = { account: undefined, charge: () => undefined };
