// What the proxies have done since the start of their process, by account.
//
// Invariant: the number of accounts in memory is bounded; beyond it the ones that were seen first are forgotten.

import type { Clock } from "../../base/clock.ts";
import type { Finished } from "./copies/copy.ts";

const ACCOUNTS_MAX = 10_000;

export interface AccountTally {
  kept: number;
  known: number;
  failed: number;
  /** Milliseconds since the epoch, and the reason. */
  lastFailure?: { readonly at: number; readonly why: string };
}

export class Tally {
  readonly accounts = new Map<string, AccountTally>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  count(account: string, finished: Finished): void {
    let tally = this.accounts.get(account);
    if (tally === undefined) {
      tally = { kept: 0, known: 0, failed: 0 };
      this.accounts.set(account, tally);
      const [oldest] = this.accounts.keys();
      if (this.accounts.size > ACCOUNTS_MAX && oldest !== undefined) this.accounts.delete(oldest);
    }
    tally[finished.kind] += 1;
    if (finished.kind === "failed")
      tally.lastFailure = { at: this.#clock.now(), why: finished.why };
  }
}
