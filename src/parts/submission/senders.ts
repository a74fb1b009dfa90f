// Which addresses are a user's: its own and its aliases, as the accounts say, each also with a +suffix.
//
// Invariant: an address that no list names is the user's only if it is the user's own. If a list cannot be read, the
// answer is unknown, and never no.

import { type Accounts, readAccounts } from "../../accounts/accounts.ts";
import type { Clock } from "../../base/clock.ts";
import type { Configuration } from "../../config/configuration.ts";
import type { Mailbox } from "../../mail/envelope.ts";

/** Milliseconds for which the accounts are not read again. */
const FRESH = 5000;

export class Senders {
  readonly #configuration: Configuration;
  readonly #clock: Clock;
  #read: { readonly at: number; readonly accounts: Promise<Accounts> } | undefined;

  constructor(configuration: Configuration, clock: Clock) {
    this.#configuration = configuration;
    this.#clock = clock;
  }

  /** Whether the user may send as the address; undefined if that cannot be found out now. */
  async mayUse(user: string, { localPart, domain }: Mailbox): Promise<boolean | undefined> {
    const name = localPart.toLowerCase();
    const plus = name.indexOf("+");
    const bare = plus > 0 ? name.slice(0, plus) : name;
    if (`${name}@${domain}` === user || `${bare}@${domain}` === user) return true;
    const accounts = await this.#accounts();
    const owner = accounts.find(`${name}@${domain}`)?.account.address;
    if (owner !== undefined) return owner === (accounts.find(user)?.account.address ?? user);
    return accounts.problems.length > 0 ? undefined : false;
  }

  #accounts(): Promise<Accounts> {
    const now = this.#clock.monotonic();
    if (this.#read === undefined || now - this.#read.at > FRESH) {
      this.#read = { at: now, accounts: readAccounts(this.#configuration) };
    }
    return this.#read.accounts;
  }
}
