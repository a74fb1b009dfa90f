// Cut-through: mail that goes to one next host is passed on before its client has its reply, and what that host
// says is the reply. Routers ask for it (`cutthrough`). A large message goes out while it comes in.
//
// Invariants: the final dot is given to the next host when the message is in the spool and its local copies are
// made, not before. A transaction that comes to nothing in any way leaves the message in the spool, as if nothing
// had been tried; where the host has certainly not taken it, the attempt goes on in the ordinary way. It costs a
// bounded number of connections and bytes, never the last to a host, and a client that stalls soon holds none.
// The attempt knows nothing of it: one of its transports is wrapped.

import { given } from "../../base/given.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import type { Batch, Recipient, Transport } from "../../contract/contract.ts";
import { PassingBody } from "./passing-body.ts";
import { deliveryOf, groupByBatch, isMail } from "../batches.ts";
import type { Envelope, RecipientRequest } from "../../mail/envelope.ts";
import type { Status } from "../../mail/status.ts";
import type { MaybePromise } from "../../base/maybe-promise.ts";
import type { Log } from "../../observe/log.ts";
import type { Routing } from "../../route/route.ts";
import type { Routings } from "../../route/routings.ts";
import { AwaitedVerdict } from "./verdict.ts";
import { type FinishBatch, type Outcomes, wrapped } from "./wrapper.ts";

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

type Transports = ReadonlyMap<string, Transport>;

export interface CutThroughServices {
  /** The names of those that ask for it. */
  readonly routers: ReadonlySet<string>;
  readonly transports: Transports;
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
    const mail = oneBatch(routed, this.#services);
    return mail && new Passage(mail, envelope, this.#services, () => this.#slot(mayGo));
  }

  /** Undefined when there is none; else to be called to give it back. */
  #slot(mayGo: () => boolean): (() => void) | undefined {
    if (this.#underWay === UNDER_WAY_MAX || !mayGo()) return undefined;
    this.#underWay++;
    return () => void this.#underWay--;
  }
}

/** All mail of a message, copies aside. */
interface OneBatch extends Pick<Batch, "recipients" | "hosts"> {
  readonly transport: Transport;
}

/** Every router has asked for it, and nothing stands in its way. */
function isSmooth(
  { deliveries, troubles, discarded }: Routing,
  routers: ReadonlySet<string>,
): boolean {
  const mail = deliveries.filter(({ unseen }) => !unseen);
  const agreed = mail.length > 0 && mail.every(({ router }) => routers.has(router));
  return agreed && troubles.length === 0 && discarded.length === 0;
}

/** Undefined when it does not go in one. */
function oneBatch(
  { recipients, routings }: Routed,
  services: CutThroughServices,
): OneBatch | undefined {
  const all = routings.all(recipients.length);
  if (all?.every((routing) => isSmooth(routing, services.routers)) !== true) return undefined;
  const deliveries = all.flatMap((routing, position) =>
    routing.deliveries.map((one) => deliveryOf({ ...recipients[position], position }, one)),
  );
  if (deliveries.length > DELIVERIES_MAX) return undefined;
  const [only, ...others] = groupByBatch(deliveries, services, () => undefined).filter(isMail);
  if (others.length > 0 || only?.transport.locality !== "remote") return undefined;
  const { transport, first, members } = only;
  return {
    transport,
    recipients: Array.from(members.values(), ({ recipient }) => recipient),
    ...given({ hosts: first.hosts }),
  };
}

/** One message on its way through: what the client sends goes to the spool and in here. */
export class Passage {
  readonly #mail: OneBatch;
  readonly #envelope: Envelope;
  readonly #services: Pick<CutThroughServices, "clock" | "log">;
  readonly #clock: Clock;
  readonly #slot: () => (() => void) | undefined;
  readonly #body: PassingBody;
  readonly #controller = new AbortController();
  #size = 0;
  #state: "waiting" | "passing" | "over" = "waiting";
  #outcomes: Promise<Outcomes> | undefined;
  #deadline: Timer | undefined;
  #pace: Timer | undefined;

  constructor(
    mail: OneBatch,
    envelope: Envelope,
    services: Pick<CutThroughServices, "clock" | "log">,
    slot: () => (() => void) | undefined,
  ) {
    this.#mail = mail;
    this.#envelope = envelope;
    this.#services = services;
    this.#clock = services.clock;
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
    const { transport, ...mail } = this.#mail;
    const batch = { envelope: this.#envelope, body: this.#body, ...mail, ...MANNER };
    this.#outcomes = transport.deliver(batch, this.#controller.signal);
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
   * The message is in the spool. What its first attempt is to be given, and what the next host says of the message, if it
   * says it soon enough.
   */
  handOver(): {
    readonly told: Promise<Status | undefined>;
    readonly transportsFor: (transports: Transports) => Transports;
    readonly client: AwaitedVerdict;
  } {
    const client = new AwaitedVerdict(this.#clock, () => this.abandon());
    const { told } = client;
    return { told, transportsFor: (transports) => this.#transportsFor(transports), client };
  }

  /** The same, but for the one by which the message is on its way, which is wrapped. After a reload it is not among them. */
  #transportsFor(transports: Transports): Transports {
    const { transport } = this.#mail;
    return new Map(
      Array.from(transports, ([name, one]) => [
        name,
        one === transport ? wrapped(one, this.#finish, this.#services) : one,
      ]),
    );
  }

  readonly #finish: FinishBatch = (batch, signal) => {
    const outcomes = this.#outcomes;
    if (this.#state !== "passing" || outcomes === undefined || !isSame(batch, this.#mail)) {
      return undefined;
    }
    this.#deadline?.cancel();
    this.#pace?.cancel();
    if (signal.aborted) this.abandon();
    else signal.addEventListener("abort", () => this.abandon(), { once: true });
    this.#body.complete();
    return outcomes.then((known) => renamed(known, this.#mail.recipients, batch.recipients));
  };

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

/**
 * The chain has led there once, at RCPT: hosts, addresses and accounts are the very same. If the attempt has asked it again,
 * they are not.
 */
function isSame(batch: Batch, { recipients, hosts }: OneBatch): boolean {
  const isOne = (one: Recipient, index: number) => {
    const other = recipients[index];
    return (
      one.mailbox === other?.mailbox &&
      one.account === other.account &&
      one.original.address === other.original.address &&
      one.notify === other.notify &&
      one.orcpt === other.orcpt
    );
  };
  const { recipients: ones } = batch;
  return batch.hosts === hosts && ones.length === recipients.length && ones.every(isOne);
}

/** The outcomes under the ids of the other ones, which are the same recipients in the same order. */
function renamed(
  outcomes: Outcomes,
  from: readonly Recipient[],
  to: readonly Recipient[],
): Outcomes {
  return new Map(
    to.flatMap(({ id }, index) => {
      const outcome = outcomes.get(from[index]?.id ?? "");
      return outcome === undefined ? [] : [[id, outcome] as const];
    }),
  );
}
