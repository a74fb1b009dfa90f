// Domains on hold: the relay accepts and copies mail for them, and delivers it when the postmaster releases them.
//
// Invariants:
// - A hold is stored in the spool before it takes effect, and survives a restart.
// - Waiting on hold does not count as an attempt. After any time on hold, mail still has all its retries.

import type { Outcome } from "../contract/contract.ts";
import type { Spool } from "../spool/spool.ts";
import { status } from "../mail/status.ts";

/** Milliseconds after which a recipient on hold is looked at again without a release. */
const LOOK_AGAIN = 86_400_000;
/** Recipients in one transaction, so that a commit of mail that arrives meanwhile waits no longer than for that. */
const RELEASED_AT_ONCE = 1000;

export type HoldStore = Pick<Spool, "hold" | "release">;

export class Holds {
  readonly #domains: Set<string>;
  readonly #store: HoldStore;

  /** `known` are domains that the store holds already. */
  constructor(known: Iterable<string>, store: HoldStore) {
    this.#domains = new Set(known);
    this.#store = store;
  }

  /** Whether no domain is on hold. */
  get isEmpty(): boolean {
    return this.#domains.size === 0;
  }

  /** The outcome of a delivery to this domain; undefined if the domain is not on hold. */
  outcomeFor(domain: string, now: number): Outcome | undefined {
    if (!this.#domains.has(domain)) return undefined;
    return {
      kind: "deferred",
      status: status(451, "3.2", `mail for ${domain} is on hold`),
      scope: "recipient",
      notBefore: now + LOOK_AGAIN,
      heldDomain: domain,
      untried: true,
    };
  }

  /** Puts the domain on hold. Attempts that are under way go on. */
  async hold(domain: string): Promise<void> {
    await this.#store.hold(domain);
    this.#domains.add(domain);
  }

  /** Makes all recipients that were on hold due. Resolves to their number. */
  async release(domain: string): Promise<number> {
    this.#domains.delete(domain);
    let released = 0;
    for (let some = RELEASED_AT_ONCE; some === RELEASED_AT_ONCE; released += some) {
      some = await this.#store.release(domain, RELEASED_AT_ONCE);
    }
    return released;
  }

  /**
   * Notes that a recipient in the spool waits for the release of `domain`. If the hold has ended meanwhile, releases
   * such recipients. True if there were any.
   */
  async awaited(domain: string): Promise<boolean> {
    if (this.#domains.has(domain)) return false;
    return (await this.release(domain)) > 0;
  }
}
