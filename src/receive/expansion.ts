// What RCPT keeps of the recipients of one message until its end, and how much of that there may be: the requests, and
// each address that they lead to after all redirects, once, however many recipients lead there.
//
// Invariants: a message that leads to more addresses than it may has the rest of its recipients in the next transaction.
// The first recipient is always taken. What all sessions keep together has a bound; who asks for little always gets it.

import type { RecipientRequest } from "../mail/envelope.ts";
import { type RoutedDelivery, type RouteTrouble, type Routing, Steps } from "../route/route.ts";
import { canonicalAddressOf } from "../mail/address.ts";
import { status, type Status } from "../mail/status.ts";

/** Octets that a transaction may keep in any case: some hundred recipients. */
const SMALL = 64 * 1024;
/** Octets of a recipient beside its texts, and of an address that was looked up, about as Node has them. */
const RECIPIENT_COST = 400;
const ADDRESS_COST = 800;

const TOO_MANY = status(452, "5.3", "Too many recipients, send the rest in another message");

/** The octets that all transactions keep. */
export class RecipientBudget {
  readonly #total: number;
  #kept = 0;

  constructor(total = 64 * 1024 * 1024) {
    this.#total = total;
  }

  get kept(): number {
    return this.#kept;
  }

  /** False when there is no room: `own` is what the asker has already. */
  take(octets: number, own: number): boolean {
    if (own + octets > SMALL && this.#kept + octets > this.#total) return false;
    this.#kept += octets;
    return true;
  }

  /** As `take`, of what may be done without: others find at least half of the room. */
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
  /** What the chain has said of addresses, by what was known of the client: see RouteRequest. */
  readonly #steps = new Map<boolean, Steps>();
  readonly #addresses = new Set<string>();
  readonly #counted = new WeakSet<RoutedDelivery | RouteTrouble>();
  readonly #budget: RecipientBudget;
  readonly #addressesMax: number;
  #own = 0;
  /** Octets that may be done without: they count for nothing in what the transaction may ask for. */
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

  /** Takes the recipient in. The reply when it has to go in another transaction. */
  add(request: RecipientRequest, { deliveries, troubles }: Routing): Status | undefined {
    // The client has not waited for this one.
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
    // Through `stepsFor` they are the same objects for every recipient that leads there.
    for (const one of uncounted) this.#counted.add(one);
    return undefined;
  }

  /** Is there room for so many octets more that may be done without? They are given back at the end. */
  keeps(octets: number): boolean {
    if (this.#isOver || !this.#budget.takeSpare(octets)) return false;
    this.#spare += octets;
    return true;
  }

  #tooMany(): Status {
    this.refused();
    return TOO_MANY;
  }

  /** What the chain has said of a recipient that is not taken is counted nowhere: nothing of it is kept. */
  refused(): void {
    for (const steps of this.#steps.values()) steps.clear();
  }

  /** The transaction is over. */
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
