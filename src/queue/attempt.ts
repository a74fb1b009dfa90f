// One attempt of one message: each recipient is routed, and its due mail and copies are delivered.
//
// Invariants:
// - Each address, and each place of a copy, is delivered to once, even if several recipients lead there.
// - A recipient whose domain is slow to look up delays no other recipient: routed recipients are delivered to
//   meanwhile.
// - The spool notes a delivery as soon as it is done.

import type { Clock, Timer } from "../base/clock.ts";
import type { Outcome, Transport } from "../contract/contract.ts";
import { type Delivery, recipientOf } from "../deliver/batches.ts";
import { deliver } from "../deliver/deliver.ts";
import type { Gate } from "../receive/gate/gate.ts";
import type { Holds } from "./holds.ts";
import type { Log } from "../observe/log.ts";
import type { Room } from "../base/room.ts";
import {
  type Route,
  type RoutedDelivery,
  type RouteTrouble,
  type Routing,
  Steps,
} from "../route/route.ts";
import type { Routings } from "../route/routings.ts";
import type { Attempted } from "../retry/clocks/due.ts";
import { entryOf, Journal, targetOf } from "../settle/journal.ts";
import type { LoopShare } from "../base/loop-share.ts";
import type { JournalEntry, Spool, StoredMessage } from "../spool/spool.ts";
import { status, type Status } from "../mail/status.ts";
import { Destinations } from "./destinations.ts";
import type { Unrouted } from "./unrouted.ts";
import { wasRelayed } from "../receive/gate/relayed.ts";
import { AddressKeys } from "../mail/address-keys.ts";
import { doneOf, dueOf, isOpenIn, type Known } from "./due.ts";
import {
  asWaited,
  type AttemptPlan,
  discardedOf,
  findingOf,
  plannedDelivery,
  putOffOf,
} from "./plan.ts";
import { type Pool, routeAll } from "./route-all.ts";
import type { Finding } from "../retry/clocks/finding.ts";

export interface AttemptServices {
  readonly spool: Pick<Spool, "note">;
  readonly route: Route;
  readonly transports: ReadonlyMap<string, Transport>;
  /** Absent: no domain is ours. */
  readonly gate?: Pick<Gate, "isLocal">;
  readonly holds: Pick<
    Holds,
    "isEmpty" | "outcomeFor" | "insteadOf" | "transportOutcome" | "countedOutcome"
  >;
  readonly clock: Clock;
  readonly log: Log;
  readonly share: LoopShare;
  readonly pool: Pool;
  /** Absent: the attempt waits for each look-up until it ends. */
  readonly room?: Pick<Room, "patience">;
  readonly unrouted: Pick<Unrouted, "outcomeFor" | "routed">;
}

export interface AttemptMeans {
  readonly signal: AbortSignal;
  /** The answers of the chain at RCPT. */
  readonly routings: Pick<Routings, "of"> | undefined;
}

/** Recipients that are routed at most this long one after the other are delivered to together, in ms. */
const MOMENT = 100;
/** The longest wait of a routed recipient for others, in ms. */
const LONGEST_MOMENT = 1000;
/**
 * Limit of destinations of one attempt. The recipient that reaches it is still delivered to in full. The others are
 * put off by PUT_OFF ms.
 */
const DESTINATIONS_MAX = 10_000;
const PUT_OFF = 60_000;
/** RCPT limits the addresses of a message, so its aliases have grown since. */
const TOO_MANY = status(451, "5.3", "The message leads to too many addresses: the rest follow");
const LOOKED_UP = status(
  451,
  "4.3",
  "Waits for look-ups of the domain: too many of others take long",
);
/** The name, in the log and the journal, of the transport that is asked in place of one on hold. No file can set it. */
const INSTEAD = "in place of a transport on hold";
/** Pairs of a recipient and an address after which the attempt asks for its share of the turn, and their cost in it. */
const SLICE = 200;
const SLICE_COST = 24 * 1024;

export class Attempt {
  /** The journal entries of the deliveries that this attempt has made. */
  readonly delivered: JournalEntry[] = [];
  readonly #message: StoredMessage;
  readonly #plan: AttemptPlan;
  readonly #means: AttemptMeans;
  readonly #services: AttemptServices;
  readonly #keys: AddressKeys;
  #known: Known;
  readonly #destinations: Destinations;
  readonly #underWay: Promise<void>[] = [];
  /** The findings of recipients that this attempt has put off. */
  readonly #waiting: Finding[] = [];
  /** Caches: if many recipients lead to one delivery, its object comes again and again. */
  readonly #places = new Map<RoutedDelivery, string | undefined>();
  readonly #open = new Map<RoutedDelivery | RouteTrouble, boolean>();
  #seen = 0;
  /** Whether the chain is asked in this attempt: at least one answer of RCPT is missing. */
  #isAsking = false;
  /** The transport that is asked in place of those on hold, if a delivery needs it. */
  #standIn: Transport | undefined;
  #timer: Timer | undefined;
  #lastRouted = 0;
  #waitsSince = 0;

  constructor(
    message: StoredMessage,
    plan: AttemptPlan,
    means: AttemptMeans,
    services: AttemptServices,
  ) {
    this.#message = message;
    this.#plan = plan;
    this.#means = means;
    this.#services = services;
    this.#keys = new AddressKeys(services.gate);
    this.#destinations = new Destinations(this.#keys);
    this.#known = {
      journal: new Journal([]),
      resting: plan.resting,
      placeOf: (copy: RoutedDelivery) => this.#placeOf(copy),
    };
  }

  /**
   * Delivers to all that is due. Resolves to one finding for each destination and for each recipient that was put
   * off.
   */
  async run(): Promise<readonly Finding[]> {
    const { sender, client, restored: restore } = this.#message.envelope;
    const { route, share, pool, clock, gate } = this.#services;
    const relayed = await wasRelayed(this.#message, gate);
    const { journal, ...done } = await doneOf(this.#message, this.#keys);
    this.#known = { ...this.#known, journal };
    const steps = new Steps();
    const restored = restore !== undefined;
    const request = { sender, client, verify: false, relayed, restored, steps, ...done };
    let left = this.#plan.attempted.length;
    try {
      await routeAll(this.#plan.attempted, { pool, clock }, async (recipient) => {
        const known = this.#means.routings?.of(recipient.position, route, relayed);
        if (known === undefined) this.#asks();
        const routing =
          known ?? (await this.#patience(recipient, route(recipient.mailbox, request)));
        const turn = this.#seen > SLICE ? share.turn(SLICE_COST) : undefined;
        if (this.#seen > SLICE) this.#seen = 0;
        if (turn !== undefined) await turn;
        const learning = routing && this.#keys.learn(routing.deliveries, routing.troubles);
        if (learning !== undefined) await learning;
        if (routing === undefined) this.#putOff(recipient, LOOKED_UP);
        else this.#take(recipient, routing);
        if (--left > 0) this.#deliverSoon();
      });
      this.#deliver();
    } finally {
      this.#timer?.cancel();
      await Promise.all(this.#underWay);
    }
    return [...this.#destinations.findings(), ...this.#waiting];
  }

  /**
   * The routing; undefined if its look-ups take long and the room has no place. A recipient with a copy that waits is
   * never put off for this reason.
   */
  #patience(recipient: Attempted, routing: Promise<Routing>): Promise<Routing | undefined> {
    const { room } = this.#services;
    return room === undefined || recipient.clocks !== undefined ? routing : room.patience(routing);
  }

  #take(recipient: Attempted, routing: Routing): void {
    const { id } = this.#message.envelope;
    const { log } = this.#services;
    const due = dueOf(recipient, routing, (one) => this.#isOpen(one));
    if (this.#destinations.size >= DESTINATIONS_MAX && due.mailIsDue)
      return this.#putOff(recipient, TOO_MANY);
    this.#seen += 1 + due.deliveries.length + due.troubles.length;
    for (const trouble of due.troubles) {
      if (this.#destinations.lead(recipient, trouble)) continue;
      const finding = findingOf(recipient, trouble);
      const outcome =
        this.#held(finding, recipient) ?? this.#unrouted(finding, trouble) ?? finding.outcome;
      this.#destinations.settle({ ...finding, outcome }, trouble);
    }
    for (const routed of due.deliveries) {
      if (!this.#destinations.lead(recipient, routed)) this.#add(recipient, routed, routing);
    }
    for (const { mailbox, why } of discardedOf(recipient, due))
      log.event("recipient.discarded", { id, recipient: mailbox.address, why });
  }

  /**
   * RCPT accepted the recipient, so the missing router may be a mistake. For an hour the mail is deferred and does
   * not fail.
   */
  #unrouted(finding: Finding, trouble: RouteTrouble): Outcome | undefined {
    if (trouble.unrouted !== true || trouble.unseen) return undefined;
    const { unrouted, log } = this.#services;
    const { id } = this.#message.envelope;
    const waits = unrouted.outcomeFor(id, targetOf(finding), trouble.status);
    if (waits?.isFirst === true) {
      const until = new Date(waits.outcome.notFinalBefore).toISOString();
      const isSameText = finding.original.address === finding.mailbox.address;
      log.event("recipient.unrouted", {
        id,
        recipient: finding.mailbox.address,
        ...(isSameText ? {} : { original: finding.original.address }),
        until,
      });
    }
    return waits?.outcome;
  }

  #putOff(recipient: Attempted, why: Status): void {
    this.#waiting.push(putOffOf(recipient, why, this.#services.clock.now() + PUT_OFF));
  }

  #isOpen(one: RoutedDelivery | RouteTrouble): boolean {
    let open = this.#open.get(one);
    if (open === undefined) {
      open = isOpenIn(this.#known, one);
      this.#open.set(one, open);
    }
    return open;
  }

  #add(recipient: Attempted, routed: RoutedDelivery, routing: Routing): void {
    const place = routed.unseen ? this.#placeOf(routed) : undefined;
    const planned = this.#instead(plannedDelivery(recipient, routed, place), routing);
    const outcome = this.#held(planned, recipient);
    if (outcome !== undefined) return this.#destinations.settle({ ...planned, outcome }, routed);
    const { unrouted } = this.#services;
    if (!planned.unseen) unrouted.routed(this.#message.envelope.id, targetOf(planned));
    const { delivery, others } = asWaited(planned, this.#plan);
    const more = others.flatMap((one) => this.#message.recipients[one] ?? []);
    return this.#destinations.add(delivery, routed, more);
  }

  #placeOf(copy: RoutedDelivery): string | undefined {
    if (!this.#places.has(copy))
      this.#places.set(copy, placeOf(copy, this.#services.transports, this.#keys));
    return this.#places.get(copy);
  }

  /** The outcome of mail for a domain or a transport on hold. Copies are never held back. */
  #held(
    { unseen, mailbox, transport }: Pick<Finding, "unseen" | "mailbox" | "transport">,
    { heldTransport }: Attempted,
  ): Outcome | undefined {
    const { holds, clock } = this.#services;
    if (unseen || holds.isEmpty) return undefined;
    const { domain } = mailbox;
    const waits = heldTransport !== undefined;
    return holds.outcomeFor({ domain, transport, waits, mailbox }, clock.now());
  }

  /** The same delivery, by the transport that is asked in place of one on hold. */
  #instead(planned: Delivery, { deliveries }: Routing): Delivery {
    const { transport: insteadOf, unseen, mailbox } = planned;
    const instead = unseen ? undefined : this.#services.holds.insteadOf(insteadOf);
    if (instead === undefined) return planned;
    this.#standIn = instead;
    const { transports } = this.#services;
    const own = deliveries.filter((one) => one.unseen && one.mailbox.address === mailbox.address);
    const copies = own.flatMap((copy) => ownPlaceOf(copy, transports, this.#keys) ?? []);
    return { ...planned, transport: INSTEAD, insteadOf, copies };
  }

  /** The transports, with the one that is asked in place of those on hold. */
  get #transports(): ReadonlyMap<string, Transport> {
    const { transports } = this.#services;
    return this.#standIn === undefined
      ? transports
      : new Map([...transports, [INSTEAD, this.#standIn]]);
  }

  /** The outcome that counts: mail that was not delivered in place of a transport on hold waits for it. */
  #counted({ insteadOf, unseen, mailbox }: Delivery, outcome: Outcome): Outcome {
    if (insteadOf === undefined && !unseen)
      return this.#services.holds.countedOutcome(mailbox, outcome);
    if (insteadOf === undefined || outcome.kind === "delivered") return outcome;
    return this.#services.holds.transportOutcome(insteadOf, this.#services.clock.now());
  }

  /** Recipients whose routing is known are not held up by the answer. */
  #asks(): void {
    this.#isAsking = true;
    this.#deliverSoon();
  }

  /**
   * Delivers as soon as no recipient has been routed for MOMENT ms. If RCPT's answers cover all recipients, they go
   * together at the end.
   */
  #deliverSoon(): void {
    if (!this.#isAsking || !this.#destinations.hasFresh) return;
    const { clock } = this.#services;
    this.#lastRouted = clock.monotonic();
    if (this.#timer !== undefined) return;
    this.#waitsSince = this.#lastRouted;
    this.#timer = clock.after(MOMENT, () => this.#onMoment());
  }

  #onMoment(): void {
    const { clock } = this.#services;
    const now = clock.monotonic();
    const end = Math.min(this.#lastRouted + MOMENT, this.#waitsSince + LONGEST_MOMENT);
    this.#timer = undefined;
    if (now >= end) this.#deliver();
    else this.#timer = clock.after(end - now, () => this.#onMoment());
  }

  #deliver(): void {
    const deliveries = this.#destinations.take();
    if (deliveries.length === 0) return;
    const { log, clock, share } = this.#services;
    const { signal } = this.#means;
    const means = { transports: this.#transports, log, clock, share, signal };
    this.#underWay.push(
      deliver(this.#message, deliveries, this.#plan.manner, means, (delivery, reported) => {
        const outcome = this.#counted(delivery, reported);
        this.#destinations.onOutcome(delivery, outcome);
        if (outcome.kind === "delivered") this.#note(delivery);
      }),
    );
  }

  #note(delivery: Delivery): void {
    const { spool, clock } = this.#services;
    const entry = entryOf(delivery, "delivered", clock.now());
    this.delivered.push(entry);
    spool.note(this.#message.envelope.id, entry);
  }
}

/** The place of a copy, if it is the recipient's own: not the sender's, and not one for many recipients. */
function ownPlaceOf(
  copy: RoutedDelivery,
  transports: AttemptServices["transports"],
  keys: AddressKeys,
): string | undefined {
  const { senderDomain: _, senderLocalPart: __, ...account } = copy.account;
  const place = placeOf({ ...copy, account }, transports, keys);
  const other = placeOf({ ...copy, account: { ...account, localPart: "-" } }, transports, keys);
  return place === other ? undefined : place;
}

/** The place of a copy: a Maildir, or the address at the hosts that take it, whichever transport is called. */
function placeOf(
  copy: RoutedDelivery,
  transports: AttemptServices["transports"],
  keys: AddressKeys,
): string | undefined {
  const transport = transports.get(copy.transport);
  if (transport === undefined) return undefined;
  const recipient = recipientOf(copy, "");
  try {
    const place = transport.place?.(recipient);
    if (place !== undefined) return place;
    const server = transport.destination?.(recipient);
    const hosts = copy.hosts ?? transport.hosts ?? [];
    const names = hosts.map(({ name, port = "", domain }) => domain ?? `${name}:${port}`);
    const at = server ?? [...new Set(names)].toSorted().join(" ");
    return at === "" ? undefined : `${keys.of(copy.mailbox)} at ${at}`;
  } catch {
    // The batch key throws too, and that is logged.
    return undefined;
  }
}
