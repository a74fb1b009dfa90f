// Counts the octets of header sections in memory, of all sessions together.
//
// Invariants:
// - All octets that are held are counted here.
// - A message that needs little always gets it. So ordinary mail goes on while others hold much.
// - If a message needs more and none is left, it must come again later.

/** Octets that a message always gets: only a few honest messages have longer header sections. */
const SMALL = 16 * 1024;

export class HeaderBudget {
  /** Octets of the longest header section that is held. */
  readonly sectionMax: number;
  readonly #total: number;
  #held = 0;

  /** `total` in octets. */
  constructor(sectionMax: number, total: number) {
    this.sectionMax = sectionMax;
    this.#total = total;
  }

  /** Octets that all messages hold now. */
  get held(): number {
    return this.#held;
  }

  /** The account of one message. It must be set to 0 at the end. */
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
  /** Sets the octets that the message holds. False if there is not enough room: then the account is unchanged. */
  set(octets: number): boolean;
}

/** Two budgets, so that hosts of relay rules do not compete with strangers. */
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
