// Cut-through: mail that goes to one next host is passed on before its client has its reply, and what that host
// says is the reply. Routers ask for it (`cutthrough`). A large message goes out while it comes in.
//
// Invariants: the final dot is given to the next host when the message is in the spool and its local copies are
// made, not before. A transaction that comes to nothing in any way leaves the message in the spool, as if nothing
// had been tried; where the host has certainly not taken it, the attempt goes on in the ordinary way. It costs a
// bounded number of connections and bytes, never the last to a host, and a client that stalls soon holds none.
//
// Doors: verdict.ts.

import { given } from "../../base/given.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import type { Outcome, Transport } from "../../contract/contract.ts";
import { PassingBody } from "./passing-body.ts";
import { deliveryOf, type Group, groupByBatch, isMail, type Passing } from "../deliver.ts";
import type { Envelope, RecipientId, RecipientRequest } from "../../mail/envelope.ts";
import type { MaybePromise } from "../../base/maybe-promise.ts";
import type { Log } from "../../observe/log.ts";
import type { Routing } from "../../route/route.ts";
import type { Routings } from "../../route/routings.ts";

/** A message no longer than this is passed on when it is here: a client that trickles holds no connection. */
const BEGIN_AT = 64 * 1024;
/** Messages that are passed on while they come in, at once: fewer than any host gets connections to begin with. */
const UNDER_WAY_MAX = 4;
/** How long such a message may take, and how long its client waits for a host that does not keep up, in ms. */
const TIME_MAX = 300_000;
const STALL_MAX = 10_000;
/** In each such time so many octets have to come: other mail may be waiting for the connection. */
const PACE_TIME = 10_000;
const PACE = 256 * 1024;

/** Deliveries of a message that is passed on, copies included: as many as go in one transaction, and copies. */
const DELIVERIES_MAX = 300;

/** The recipients of a message, and what the chain has said of them. */
export interface Routed {
  readonly recipients: readonly RecipientRequest[];
  readonly routings: Pick<Routings, "all">;
}

export interface CutThroughServices {
  readonly transports: ReadonlyMap<string, Transport>;
  readonly clock: Clock;
  readonly log: Log;
}

/** All messages that are passed on while they come in. */
export class CutThrough {
  readonly #services: CutThroughServices;
  #underWay = 0;

  constructor(services: CutThroughServices) {
    this.#services = services;
  }

  /**
   * Undefined when the message has to take the way through the queue. Nothing is begun yet, and nothing goes out
   * before the end of the message unless it `mayGo`: who has to bring proof has no right to it before.
   */
  passage(envelope: Envelope, routed: Routed, mayGo: () => boolean): Passage | undefined {
    const group = oneGroup(routed, this.#services);
    return group && new Passage(group, envelope, this.#services.clock, () => this.#slot(mayGo));
  }

  /** Undefined when there is none; else to be called to give it back. */
  #slot(mayGo: () => boolean): (() => void) | undefined {
    if (this.#underWay === UNDER_WAY_MAX || !mayGo()) return undefined;
    this.#underWay++;
    return () => void this.#underWay--;
  }
}

/** Every router has asked for it, and nothing stands in its way. */
function isSmooth({ deliveries, troubles, discarded }: Routing): boolean {
  const mail = deliveries.filter(({ unseen }) => !unseen);
  const agreed = mail.length > 0 && mail.every(({ cutthrough }) => cutthrough === true);
  return agreed && troubles.length === 0 && discarded.length === 0;
}

/** The one batch that takes all mail of the message, copies aside. */
function oneGroup(
  { recipients, routings }: Routed,
  services: CutThroughServices,
): Group | undefined {
  const all = routings.all(recipients.length);
  if (all === undefined || !all.every(isSmooth)) return undefined;
  const deliveries = all.flatMap((routing, position) =>
    routing.deliveries.map((one) => deliveryOf({ ...recipients[position], position }, one)),
  );
  if (deliveries.length > DELIVERIES_MAX) return undefined;
  const groups = groupByBatch(deliveries, services, () => undefined).filter(isMail);
  const [only] = groups;
  return groups.length === 1 && only?.transport.locality === "remote" ? only : undefined;
}

/** One message on its way through: what the client sends goes to the spool and in here. */
export class Passage implements Passing {
  readonly #group: Group;
  readonly #envelope: Envelope;
  readonly #clock: Clock;
  readonly #slot: () => (() => void) | undefined;
  readonly #body: PassingBody;
  readonly #controller = new AbortController();
  #size = 0;
  #state: "waiting" | "passing" | "over" = "waiting";
  #outcomes: Promise<ReadonlyMap<RecipientId, Outcome>> | undefined;
  #deadline: Timer | undefined;
  #pace: Timer | undefined;

  constructor(
    group: Group,
    envelope: Envelope,
    clock: Clock,
    slot: () => (() => void) | undefined,
  ) {
    this.#group = group;
    this.#envelope = envelope;
    this.#clock = clock;
    this.#slot = slot;
    this.#body = new PassingBody(envelope.size);
  }

  write(piece: Buffer): MaybePromise<void> {
    if (this.#state === "over") return undefined;
    const room = this.#body.write(piece);
    this.#size += piece.length;
    if (this.#state === "waiting" && this.#size > BEGIN_AT) this.#begin();
    return room && this.#orStalled(room);
  }

  #begin(): void {
    const giveBack = this.#slot();
    if (giveBack === undefined) return this.abandon();
    this.#state = "passing";
    this.#deadline = this.#clock.after(TIME_MAX, () => this.abandon());
    this.#watchPace(this.#size);
    const { transport, first, members } = this.#group;
    const recipients = Array.from(members.values(), ({ recipient }) => recipient);
    const batch = { envelope: this.#envelope, body: this.#body, recipients, ...MANNER };
    const hosts = given({ hosts: first.hosts });
    this.#outcomes = transport.deliver({ ...batch, ...hosts }, this.#controller.signal);
    const over = () => {
      giveBack();
      this.#body.unwanted();
    };
    // Who waits for the outcomes hears of an error; where nobody does, the queue makes its own attempt.
    this.#outcomes.then(over, over);
  }

  #watchPace(before: number): void {
    this.#pace = this.#clock.after(PACE_TIME, () => {
      if (this.#size - before < PACE) this.abandon();
      else this.#watchPace(this.#size);
    });
  }

  async #orStalled(room: Promise<void>): Promise<void> {
    const timer = this.#clock.after(STALL_MAX, () => this.abandon());
    await room;
    timer.cancel();
  }

  /**
   * Ends the message for the next host, and gives its outcomes. Undefined when nothing was begun for just these
   * recipients: they are to be delivered in the ordinary way.
   */
  finish(
    group: Group,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<RecipientId, Outcome>> | undefined {
    const outcomes = this.#outcomes;
    if (this.#state !== "passing" || outcomes === undefined || !isSame(group, this.#group)) {
      return undefined;
    }
    this.#deadline?.cancel();
    this.#pace?.cancel();
    if (signal.aborted) this.abandon();
    else signal.addEventListener("abort", () => this.abandon(), { once: true });
    this.#body.complete();
    return outcomes.then((known) => renamed(known, this.#group, group));
  }

  /** Cuts the connection in the middle of the message, if there is one: the next host throws away what it has. */
  abandon(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#deadline?.cancel();
    this.#pace?.cancel();
    const why = new Error("the message is not passed on while it comes in after all");
    this.#controller.abort(why);
    this.#body.abandon(why);
  }
}

const MANNER = { fresh: true, force: false } as const;

/** The lists may have changed since the recipients were accepted. */
function isSame(one: Group, other: Group): boolean {
  return one.transport === other.transport && described(one) === described(other);
}

/** The outcomes of the one group under the ids of the other, which has the same recipients in the same order. */
function renamed(
  outcomes: ReadonlyMap<RecipientId, Outcome>,
  { members: from }: Group,
  { members: to }: Group,
): ReadonlyMap<RecipientId, Outcome> {
  const ids = Array.from(to.values(), ({ recipient: { id } }) => id);
  return new Map(
    Array.from(from.values()).flatMap(({ recipient }, index) => {
      const outcome = outcomes.get(recipient.id);
      const id = ids[index];
      return outcome === undefined || id === undefined ? [] : [[id, outcome] as const];
    }),
  );
}

/** Hosts that are equals come in another order each time. */
function described({ first, members }: Group): string {
  const hosts = first.hosts?.map((host) =>
    JSON.stringify({ ...host, addresses: host.addresses?.toSorted() }),
  );
  const recipients = Array.from(members.values(), ({ recipient }) => {
    const { mailbox, original, account, notify, orcpt } = recipient;
    return { mailbox, original, account, notify, orcpt };
  });
  return JSON.stringify([hosts?.toSorted(), recipients]);
}
