// Cut-through: mail for one next host is passed on before its client has its reply, and the answer of that host
// becomes the reply. Routers ask for it (`cutthrough`). A large message is passed on while it comes in.
//
// Invariants:
// - The next host gets the final dot only after the message is in the spool and its local copies are made.
// - If passing on fails in any way, the message stays in the spool as if nothing had been tried. If the host has
//   certainly not accepted it, the same attempt goes on with normal delivery.
// - It uses a limited number of connections and octets, and never the last connection to a host. A client that stalls
//   soon loses its connection.
// - The attempt does not know of it: one of its transports is wrapped.

import { given } from "../../base/given.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import type { Batch, Recipient, Transport } from "../../contract/contract.ts";
import { PassingBody } from "./passing-body.ts";
import { deliveryOf, groupByBatch, isMail } from "../batches.ts";
import type { Envelope, Mailbox, RecipientRequest } from "../../mail/envelope.ts";
import type { Status } from "../../mail/status.ts";
import type { MaybePromise } from "../../base/maybe-promise.ts";
import type { Log } from "../../observe/log.ts";
import type { Routing } from "../../route/route.ts";
import type { Routings } from "../../route/routings.ts";
import { AwaitedVerdict } from "./verdict.ts";
import { type FinishBatch, type Outcomes, wrapped } from "./wrapper.ts";

/** Octets up to which a message is passed on only when it is whole, so that a slow client holds no connection. */
const BEGIN_AT = 64 * 1024;
/** Messages that are passed on while they come in, at most: fewer than the connections that any host gets at first. */
const UNDER_WAY_MAX = 4;
/** Milliseconds that such a message may take, and that its client waits for a host that does not keep up. */
const TIME_MAX = 300_000;
const STALL_MAX = 10_000;
/** At least PACE octets must come in each PACE_TIME ms, because other mail may be waiting for the connection. */
const PACE_TIME = 10_000;
const PACE = 256 * 1024;

/** Deliveries of a message that is passed on, at most: the recipients of one transaction, and their copies. */
const DELIVERIES_MAX = 300;

/** The recipients of a message, and the chain's answers for them. */
export interface Routed {
  readonly recipients: readonly RecipientRequest[];
  readonly routings: Pick<Routings, "all">;
}

type Transports = ReadonlyMap<string, Transport>;

export interface CutThroughServices {
  /** The names of the routers that ask for cut-through. */
  readonly routers: ReadonlySet<string>;
  readonly transports: Transports;
  /** Whether mail must go by way of the queue: its transport is on hold. Absent: none is. */
  readonly isQueued?: (transport: string, mailbox: Mailbox) => boolean;
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
   * Undefined if the message must go through the queue. Nothing has begun yet. Before the end of the message nothing
   * goes out unless it `mayGo`: a client that must bring a proof has no right to it before.
   */
  passage(envelope: Envelope, routed: Routed, mayGo: () => boolean): Passage | undefined {
    const mail = oneBatch(routed, this.#services);
    return mail && new Passage(mail, envelope, this.#services, () => this.#slot(mayGo));
  }

  /** Takes a slot and returns the function that frees it; undefined if none is free. */
  #slot(mayGo: () => boolean): (() => void) | undefined {
    if (this.#underWay === UNDER_WAY_MAX || !mayGo()) return undefined;
    this.#underWay++;
    return () => void this.#underWay--;
  }
}

/** All mail of a message, without its copies. */
interface OneBatch extends Pick<Batch, "recipients" | "hosts"> {
  readonly transport: Transport;
}

/** Whether every router of the mail asks for cut-through, and the chain has no trouble and discards no address. */
function isSmooth(
  { deliveries, troubles, discarded }: Routing,
  { routers, isQueued = () => false }: Pick<CutThroughServices, "routers" | "isQueued">,
): boolean {
  const mail = deliveries.filter(({ unseen }) => !unseen);
  const agrees = ({ router, transport, mailbox }: (typeof mail)[number]) =>
    routers.has(router) && !isQueued(transport, mailbox);
  const agreed = mail.length > 0 && mail.every(agrees);
  return agreed && troubles.length === 0 && discarded.length === 0;
}

/** The mail as one batch; undefined if it needs several. */
function oneBatch(
  { recipients, routings }: Routed,
  services: CutThroughServices,
): OneBatch | undefined {
  const all = routings.all(recipients.length);
  if (all?.every((routing) => isSmooth(routing, services)) !== true) return undefined;
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

/** One message that is passed on: the client's octets go to the spool and in here. */
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
    // The wrapped transport gets an error. If it does not ask, the queue makes its own attempt.
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
   * Called when the message is in the spool. Returns the transports and the client for its first attempt, and the
   * answer of the next host if it comes in time.
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

  /**
   * The same transports, but the one that is passing the message on is wrapped. After a reload it is not among them.
   */
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

  /** Cuts the connection in the middle of the message, if one is open: the next host discards its part. */
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
 * Whether the batch is the one that is being passed on. If it comes from the chain's answers at RCPT, its hosts,
 * addresses and accounts are the same objects. If the attempt has asked the chain again, they are not.
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

/** The outcomes under the ids of `to`, which are the same recipients in the same order. */
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
