// The time of the event loop that one client has used without sending mail that was accepted, and how long the client
// has to rest for it. Work for accepted mail is free, so a client is never slowed down for sending much of it.
//
// Invariant: in the long run, while other clients are connected, a client takes at most PACE of the time. That holds
// over all its sessions and however it behaves.

import { clientKeyOf } from "./network.ts";

/** Share of the time. Node's own part in the work comes on top and is about as large. */
const PACE = 0.04;
/** Milliseconds of work that a client may use before it has to rest. */
const AHEAD = 500;
/**
 * Milliseconds of work that a client can owe at most. The limit keeps work that it did while it was alone from counting
 * against it for long.
 */
const DEBT_MAX = 200;

/** The credit of one client. Times are in ms, by a clock that never goes back. */
export class LoopAccount {
  /** Number of open sessions of this client. */
  sessions = 0;
  readonly #isPaced: boolean;
  #credit = AHEAD;
  #at = 0;

  /** An account that is not paced has turns of its own and never rests. */
  constructor(isPaced: boolean) {
    this.#isPaced = isPaced;
  }

  /** Negative `milliseconds` give back work that turned out to be free. */
  charge(milliseconds: number, now: number): void {
    this.#credit = Math.max(-DEBT_MAX, Math.min(AHEAD, this.#creditAt(now) - milliseconds));
    this.#at = now;
  }

  /** Milliseconds that the client has to rest from now on; 0 when it owes nothing. */
  restOf(now: number): number {
    return this.#isPaced ? Math.max(0, -this.#creditAt(now) / PACE) : 0;
  }

  /** Whether this account is in the same state as a new one, without sessions. */
  isUnused(now: number): boolean {
    return this.sessions === 0 && this.#creditAt(now) === AHEAD;
  }

  #creditAt(now: number): number {
    return Math.min(AHEAD, this.#credit + Math.max(0, now - this.#at) * PACE);
  }
}

/** The one that a piece of work is done for. */
export interface Party {
  readonly account: LoopAccount | undefined;
  charge(milliseconds: number, now: number): void;
}

/** One session of a client. */
export class SessionParty implements Party {
  readonly account: LoopAccount;
  /** Milliseconds since the session began, or since its last accepted message. */
  #spent = 0;

  constructor(account: LoopAccount) {
    this.account = account;
    account.sessions++;
  }

  charge(milliseconds: number, now: number): void {
    this.#spent += milliseconds;
    this.account.charge(milliseconds, now);
  }

  /** A message was accepted: the work since the last one is free. */
  forgive(now: number): void {
    this.account.charge(-this.#spent, now);
    this.#spent = 0;
  }

  end(): void {
    this.account.sessions--;
  }
}

/** The accounts of all clients that have a session or still owe time. */
export class LoopAccounts {
  readonly #accounts = new Map<string, LoopAccount>();

  /** The account of a client's address. Hosts of relay rules are not paced. */
  of(address: string, isRelayHost: boolean): LoopAccount {
    const key = isRelayHost ? `relay ${address}` : clientKeyOf(address);
    let account = this.#accounts.get(key);
    if (account === undefined) {
      account = new LoopAccount(!isRelayHost);
      this.#accounts.set(key, account);
    }
    return account;
  }

  /** Drops unused accounts. Must be called regularly. */
  forgetUnused(now: number): void {
    for (const [key, account] of this.#accounts) {
      if (account.isUnused(now)) this.#accounts.delete(key);
    }
  }
}
