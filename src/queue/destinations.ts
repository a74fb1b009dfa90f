// The destinations of a message under attempt: each address for its mail and each place for a copy. Each is here
// once, with all recipients that lead there (Exim's check for duplicates).
//
// Invariants:
// - Every destination has one outcome, and gives one finding.
// - A recipient that leads to a destination under way shares its outcome.
// - A delivery takes precedence over a trouble that another recipient had on the way to it.

import { type Draft, given } from "../base/given.ts";
import { notifyOfBoth } from "../bounce/wanted.ts";
import type { Outcome } from "../contract/contract.ts";
import type { Delivery } from "../deliver/batches.ts";
import type { Mailbox } from "../mail/envelope.ts";
import type { RoutedDelivery, RouteTrouble } from "../route/route.ts";
import type { Attempted } from "../retry/clocks/due.ts";
import { targetOf } from "../settle/journal.ts";
import type { AlsoTo, Finding } from "../retry/clocks/finding.ts";
import type { AddressKeys } from "../mail/address-keys.ts";

type Source = RoutedDelivery | RouteTrouble;

interface Destination {
  /** Undefined if the chain led to no transport. */
  delivery: Delivery | undefined;
  readonly first: Finding | Delivery;
  readonly others: number[];
  readonly originals: Mailbox[];
  /** Further addresses that a copy is for. */
  readonly addresses: Map<string, AlsoTo>;
  notify: string | undefined;
  outcome: Outcome | undefined;
}

export class Destinations {
  readonly #keys: AddressKeys;
  readonly #all = new Map<string, Destination>();
  /** Destinations that `take` has not returned yet. */
  #fresh: Destination[] = [];
  readonly #underWay = new Map<Delivery, Destination>();
  /** Keyed by the chain's answer, which is the same object for all recipients that lead there. */
  readonly #bySource = new Map<Source, Destination>();

  /** `keys` must have learnt the addresses that come. */
  constructor(keys: AddressKeys) {
    this.#keys = keys;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Whether `take` has a delivery to return. */
  get hasFresh(): boolean {
    return this.#fresh.length > 0;
  }

  /** Adds the recipient to the destination of this answer. False if no recipient has brought this answer before. */
  lead({ position, mailbox: original, notify }: Attempted, source: Source): boolean {
    const known = this.#bySource.get(source);
    if (known !== undefined) join(known, position, original, source.unseen ? "NEVER" : notify);
    return known !== undefined;
  }

  /** Adds a delivery. `more` are further recipients that a copy is for. */
  add(
    delivery: Delivery,
    source: Source,
    more: readonly { position: number; mailbox: Mailbox }[] = [],
  ): void {
    const key = this.#keyOf(delivery);
    let known = this.#all.get(key);
    if (known === undefined) {
      known = destinationOf(delivery, undefined, delivery.notify);
      this.#all.set(key, known);
    } else {
      join(known, delivery.position, delivery.original, delivery.notify);
      if (delivery.unseen) addAddress(known, delivery);
    }
    this.#bySource.set(source, known);
    for (const { position, mailbox } of more) join(known, position, mailbox, delivery.notify);
    if (known.delivery !== undefined) return;
    known.delivery = delivery;
    known.outcome = undefined;
    this.#fresh.push(known);
  }

  /** Sets the outcome of a destination without a delivery: the chain or a hold has decided it. */
  settle(finding: Finding, source: Source): void {
    const key = this.#keyOf(finding);
    const known = this.#all.get(key);
    if (known === undefined) {
      const one = destinationOf(finding, finding.outcome, undefined);
      this.#all.set(key, one);
      this.#bySource.set(source, one);
      return;
    }
    this.#bySource.set(source, known);
    join(known, finding.position, finding.original, undefined);
    // A deferral takes the place of a failure.
    if (known.delivery === undefined && known.outcome?.kind === "failed")
      known.outcome = finding.outcome;
  }

  #keyOf(one: Finding | Delivery): string {
    return one.unseen ? `copy\n${targetOf(one)}` : `mail\n${this.#keys.of(one.mailbox)}`;
  }

  /** Returns the deliveries that were added since the last call. */
  take(): readonly Delivery[] {
    const inOrder = this.#fresh.toSorted((a, b) => a.first.position - b.first.position);
    const taken = inOrder.map((one) => {
      const delivery = wholeOf(one);
      this.#underWay.set(delivery, one);
      return delivery;
    });
    this.#fresh = [];
    return taken;
  }

  onOutcome(delivery: Delivery, outcome: Outcome): void {
    const destination = this.#underWay.get(delivery);
    if (destination !== undefined) destination.outcome = outcome;
  }

  /** One finding for each destination. Throws if a destination has no outcome. */
  findings(): readonly Finding[] {
    const findings: Finding[] = [];
    for (const { first, delivery, others, addresses, outcome } of this.#all.values()) {
      if (outcome === undefined) throw new Error("a delivery has no outcome");
      const { position, original } = first;
      const { mailbox, router, transport, unseen, unlisted, homonym, place } = delivery ?? first;
      const finding: Draft<Finding> = {
        position,
        mailbox,
        original,
        router,
        transport,
        unseen,
        outcome,
      };
      if (others.length > 0) finding.others = unseen ? [...new Set(others)] : others;
      addresses.delete(mailbox.address);
      if (addresses.size > 0) finding.alsoTo = [...addresses.values()];
      if (unlisted !== undefined) finding.unlisted = unlisted;
      if (homonym !== undefined) finding.homonym = homonym;
      if (place !== undefined) finding.place = place;
      findings.push(finding);
    }
    return findings;
  }
}

function destinationOf(
  first: Finding | Delivery,
  outcome: Outcome | undefined,
  notify: string | undefined,
): Destination {
  const more = { others: [], originals: [], addresses: new Map<string, AlsoTo>() };
  return { first, delivery: undefined, outcome, notify, ...more };
}

function addAddress({ addresses }: Destination, { position, mailbox }: Delivery): void {
  if (!addresses.has(mailbox.address)) addresses.set(mailbox.address, { position, mailbox });
}

function join(
  to: Destination,
  position: number,
  original: Mailbox,
  notify: string | undefined,
): void {
  if (position === to.first.position || to.others.at(-1) === position) return;
  to.others.push(position);
  to.originals.push(original);
  to.notify = notifyOfBoth(to.notify, notify);
}

/** The delivery with the names of all its recipients. It asks for each report that one of them asks for. */
function wholeOf({ delivery, first, originals, notify }: Destination): Delivery {
  if (delivery === undefined) throw new Error("nothing leads there");
  if (originals.length === 0) return delivery;
  const { notify: _, ...rest } = delivery;
  const { position, original } = first;
  const asked = given({ notify });
  return { ...rest, position, original, ...asked, alsoFor: originals };
}
