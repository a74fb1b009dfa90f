// How much of the event loop one client has used without sending mail that was accepted, and how long it has to rest
// for that. Work for mail that is accepted is free: nobody is slowed down for sending much of it.
//
// Invariant: in the long run, while others are there, a client takes at most PACE of the time, over all its sessions,
// however it behaves.

import { clientKeyOf } from "./network.ts";

/** Of the time. Node's own part in the work comes on top, about as much again. */
const PACE = 0.04;
/** Milliseconds of work that a client may have ahead. */
const AHEAD = 500;
/** Milliseconds of work that it can owe: what it does while nobody else is there is not held against it for ever. */
const DEBT_MAX = 200;

/** Times in ms by a clock that never goes back. */
export class Account {
  /** Sessions that have it. */
  sessions = 0;
  readonly #isPaced: boolean;
  #credit = AHEAD;
  #at = 0;

  /** One that is not paced has turns of its own, and never rests. */
  constructor(isPaced: boolean) {
    this.#isPaced = isPaced;
  }

  /** Less than nothing for work that was free after all. */
  charge(milliseconds: number, now: number): void {
    this.#credit = Math.max(-DEBT_MAX, Math.min(AHEAD, this.#creditAt(now) - milliseconds));
    this.#at = now;
  }

  /** How long it has to rest from now on; 0 when it owes nothing. */
  restOf(now: number): number {
    return this.#isPaced ? Math.max(0, -this.#creditAt(now) / PACE) : 0;
  }

  /** It has as much ahead as it would have if it were new. */
  isUnused(now: number): boolean {
    return this.sessions === 0 && this.#creditAt(now) === AHEAD;
  }

  #creditAt(now: number): number {
    return Math.min(AHEAD, this.#credit + Math.max(0, now - this.#at) * PACE);
  }
}

/** For whom a piece of work is done. */
export interface Party {
  readonly account: Account | undefined;
  charge(milliseconds: number, now: number): void;
}

/** One session of a client. */
export class SessionParty implements Party {
  readonly account: Account;
  /** Since it came, or since its last message that was accepted. */
  #spent = 0;

  constructor(account: Account) {
    this.account = account;
    account.sessions++;
  }

  charge(milliseconds: number, now: number): void {
    this.#spent += milliseconds;
    this.account.charge(milliseconds, now);
  }

  /** A message was accepted. */
  forgive(now: number): void {
    this.account.charge(-this.#spent, now);
    this.#spent = 0;
  }

  end(): void {
    this.account.sessions--;
  }
}

/** All clients that have a session, or that owe time still. */
export class Accounts {
  readonly #accounts = new Map<string, Account>();

  /** That of a client's address; hosts of relay rules are not paced. */
  of(address: string, isRelayHost: boolean): Account {
    const key = isRelayHost ? `relay ${address}` : clientKeyOf(address);
    let account = this.#accounts.get(key);
    if (account === undefined) {
      account = new Account(!isRelayHost);
      this.#accounts.set(key, account);
    }
    return account;
  }

  /** To be called now and then. */
  forgetUnused(now: number): void {
    for (const [key, account] of this.#accounts) {
      if (account.isUnused(now)) this.#accounts.delete(key);
    }
  }
}
