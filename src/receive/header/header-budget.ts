// The octets of header sections that are held in memory, of all sessions together.
//
// Invariants: nothing is held that is not counted here. A message that asks for little always gets it: however much
// others hold, ordinary mail goes on. One that asks for more when nothing is left has to come again later.

/** Octets that a message gets in any case: no more than a few honest messages have longer header sections. */
const SMALL = 16 * 1024;

export class HeaderBudget {
  /** Octets of one header section; what is longer is not held. */
  readonly sectionMax: number;
  readonly #total: number;
  #held = 0;

  /** `total` in octets. */
  constructor(sectionMax: number, total: number) {
    this.sectionMax = sectionMax;
    this.#total = total;
  }

  /** Octets that are held now. */
  get held(): number {
    return this.#held;
  }

  /** The account of one message. It is to be set to 0 at the end. */
  account(): HeaderAccount {
    let own = 0;
    return {
      set: (octets) => {
        const change = octets - own;
        if (change > 0 && octets > SMALL && this.#held + change > this.#total) return false;
        this.#held += change;
        own = octets;
        return true;
      },
    };
  }
}

export interface HeaderAccount {
  /** Says how many octets the message holds from now on. False when there is no room for that: nothing is changed. */
  set(octets: number): boolean;
}

/** Those of hosts of relay rules do not compete with the world's. */
export interface HeaderBudgets {
  readonly strangers: HeaderBudget;
  readonly relayHosts: HeaderBudget;
}

export function headerBudgets(): HeaderBudgets {
  return {
    strangers: new HeaderBudget(256 * 1024, 64 * 1024 * 1024),
    relayHosts: new HeaderBudget(1024 * 1024, 64 * 1024 * 1024),
  };
}
