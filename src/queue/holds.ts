// Domains that the postmaster holds back: mail for them is accepted and copied, and delivered when they are released.
//
// Invariants: a hold is in the spool before it counts, and survives a restart. Holding back is no attempt, so it
// ends nothing: however long it lasts, what is released has all its retries before it.

import type { Outcome } from "../contract/contract.ts";
import type { Spool } from "../spool/spool.ts";
import { status } from "../mail/status.ts";

/** When a recipient on hold is looked at again, although nobody has released it; in ms. */
const LOOK_AGAIN = 86_400_000;
/** Recipients that are released at once: a commit of mail that arrives meanwhile waits no longer. */
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

  /** Everything goes its way. */
  get isEmpty(): boolean {
    return this.#domains.size === 0;
  }

  /** What becomes of a delivery to this domain; undefined when it may be delivered. */
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

  /** From the next attempt on. */
  async hold(domain: string): Promise<void> {
    await this.#store.hold(domain);
    this.#domains.add(domain);
  }

  /** Everything that was held back is due. How many recipients that were. */
  async release(domain: string): Promise<number> {
    this.#domains.delete(domain);
    let released = 0;
    for (let some = RELEASED_AT_ONCE; some === RELEASED_AT_ONCE; released += some) {
      some = await this.#store.release(domain, RELEASED_AT_ONCE);
    }
    return released;
  }

  /** Somebody in the spool waits for its end. It may have ended since that was decided; then he is released. */
  async awaited(domain: string): Promise<boolean> {
    if (this.#domains.has(domain)) return false;
    return (await this.release(domain)) > 0;
  }
}
