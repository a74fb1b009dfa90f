// Holds what RCPT keeps of the recipients of one message until its end, and limits it. That is the requests, and each
// address that they lead to after all redirects, once.
//
// Invariants:
// - If a message leads to more addresses than allowed, the rest of its recipients must come in the next transaction.
// - The first recipient is always accepted.
// - The memory of all sessions together is limited. A transaction that needs little always gets it.

import type { RecipientRequest } from "../mail/envelope.ts";
import { type RoutedDelivery, type RouteTrouble, type Routing, Steps } from "../route/route.ts";
import { canonicalAddressOf } from "../mail/address.ts";
import { status, type Status } from "../mail/status.ts";

/** Octets that a transaction always gets: some hundred recipients. */
const SMALL = 64 * 1024;
/** Octets of a recipient without its texts, and of an address that was looked up, as Node stores them. */
const RECIPIENT_COST = 400;
const ADDRESS_COST = 800;

const TOO_MANY = status(452, "5.3", "Too many recipients, send the rest in another message");

/** The octets that all transactions keep together. */
export class RecipientBudget {
  readonly #total: number;
  #kept = 0;

  constructor(total = 64 * 1024 * 1024) {
    this.#total = total;
  }

  get kept(): number {
    return this.#kept;
  }

  /** Takes octets; false if no room is left. `own` are the octets that the transaction has already. */
  take(octets: number, own: number): boolean {
    if (own + octets > SMALL && this.#kept + octets > this.#total) return false;
    this.#kept += octets;
    return true;
  }

  /** Takes octets for things that are not needed. At least half of the total stays for others. */
  takeSpare(octets: number): boolean {
    if (this.#kept + octets > this.#total / 2) return false;
    this.#kept += octets;
    return true;
  }

  giveBack(octets: number): void {
    this.#kept -= octets;
  }
}

/** The recipients of one transaction. */
export class Expansion {
  readonly requests: RecipientRequest[] = [];
  /** The chain's answers for addresses, by `relayed` of RouteRequest. */
  readonly #steps = new Map<boolean, Steps>();
  readonly #addresses = new Set<string>();
  readonly #counted = new WeakSet<RoutedDelivery | RouteTrouble>();
  readonly #budget: RecipientBudget;
  readonly #addressesMax: number;
  #own = 0;
  /** Octets for things that are not needed. They do not count in `own`. */
  #spare = 0;
  #isOver = false;

  constructor(addressesMax: number, budget: RecipientBudget) {
    this.#addressesMax = addressesMax;
    this.#budget = budget;
  }

  stepsFor(relayed: boolean): Steps {
    let steps = this.#steps.get(relayed);
    if (steps === undefined) {
      steps = new Steps();
      this.#steps.set(relayed, steps);
    }
    return steps;
  }

  /** Accepts the recipient. Returns the reply if it must come in another transaction. */
  add(request: RecipientRequest, { deliveries, troubles }: Routing): Status | undefined {
    // The client ended the transaction before this reply.
    if (this.#isOver) return TOO_MANY;
    const fresh = new Set<string>();
    const uncounted: (RoutedDelivery | RouteTrouble)[] = [];
    for (const led of [deliveries, troubles]) {
      for (const one of led) {
        if (this.#counted.has(one)) continue;
        uncounted.push(one);
        const address = canonicalAddressOf(one.mailbox);
        if (!this.#addresses.has(address)) fresh.add(address);
      }
    }
    const isFirst = this.requests.length === 0;
    if (!isFirst && this.#addresses.size + fresh.size > this.#addressesMax) return this.#tooMany();
    const octets = costOf(request) + ADDRESS_COST * fresh.size;
    if (this.#budget.take(octets, this.#own)) this.#own += octets;
    else if (!isFirst) return this.#tooMany();
    this.requests.push(request);
    for (const address of fresh) this.#addresses.add(address);
    // Because of `stepsFor`, all recipients that lead to an address share one object.
    for (const one of uncounted) this.#counted.add(one);
    return undefined;
  }

  /** Whether there is room for this many octets that are not needed. They are given back at the end. */
  keeps(octets: number): boolean {
    if (this.#isOver || !this.#budget.takeSpare(octets)) return false;
    this.#spare += octets;
    return true;
  }

  #tooMany(): Status {
    this.refused();
    return TOO_MANY;
  }

  /** Drops the chain's answers after a refused recipient, because their memory is not counted. */
  refused(): void {
    for (const steps of this.#steps.values()) steps.clear();
  }

  /** Ends the transaction and gives back its octets. */
  end(): void {
    this.#isOver = true;
    this.#budget.giveBack(this.#own + this.#spare);
    this.#own = 0;
    this.#spare = 0;
    this.#steps.clear();
    this.#addresses.clear();
  }
}

function costOf({ mailbox, notify = "", orcpt = "" }: RecipientRequest): number {
  return RECIPIENT_COST + 4 * mailbox.address.length + 2 * (notify.length + orcpt.length);
}
