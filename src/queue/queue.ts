// The queue runner: it begins the attempts of each message, one after the other, each at its time. The only place
// with timers for deliveries.
//
// Invariants:
// - An attempt is recorded in the spool before the network is touched.
// - A message is in at most one attempt.
// - However an attempt ends, its message is settled.
//
// Doors: events.ts, holds.ts, postmaster.ts, watch-clock.ts.

import { given } from "../base/given.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { Transport } from "../contract/contract.ts";
import type { MessageId } from "../mail/envelope.ts";
import type { HostHints } from "../retry/hosts/hosts.ts";
import type { Gate } from "../receive/gate/gate.ts";
import type { Holds } from "./holds.ts";
import { describeError, type Log } from "../observe/log.ts";
import { logCopies } from "./copies.ts";
import { Attempt, type AttemptServices } from "./attempt.ts";
import { planOf } from "./plan.ts";
import type { Pool } from "./route-all.ts";
import type { Room } from "../base/room.ts";
import { Unrouted } from "./unrouted.ts";
import type { Route } from "../route/route.ts";
import type { Routings } from "../route/routings.ts";
import type { Finding } from "../retry/clocks/finding.ts";
import { SPOOL_PAUSE, store } from "./store.ts";
import { settle, type SettleServices } from "../settle/settle.ts";
import { LoopShare } from "../base/loop-share.ts";
import type { JournalEntry, Settlement, Spool, StoredMessage } from "../spool/spool.ts";

export interface QueueServices {
  readonly spool: Pick<Spool, "take" | "nextDue" | "note" | "settle">;
  readonly route: Route;
  readonly transports: ReadonlyMap<string, Transport>;
  readonly clock: Clock;
  readonly log: Log;
  readonly settle: SettleServices;
  /** Absent: no domain is ours. */
  readonly gate?: Pick<Gate, "isLocal">;
  readonly hints: Pick<HostHints, "awaited">;
  /** Absent: an attempt waits for each look-up until it ends. */
  readonly room?: Room;
  readonly holds: AttemptServices["holds"] & Pick<Holds, "awaited" | "awaitedTransports">;
}

/**
 * The services that route, deliver and settle a message. An attempt uses the same ones from its beginning to its end.
 */
export type QueueChain = Pick<QueueServices, "route" | "transports" | "settle" | "gate">;

/** Messages under attempt at once. Each holds at most 64 KiB of body in memory, or a share of the spool's room. */
const ACTIVE_MAX = 500;
/** Limit of messages from the spool whose attempt is younger than MOMENT: enough for any host, and little memory. */
const AHEAD_MAX = 40;
/** An attempt that takes longer waits for a host and does not count towards AHEAD_MAX; in ms. */
const MOMENT = 250;
/** The longest duration of an attempt, whatever its hosts do; in ms. */
const ATTEMPT_DEADLINE = 3_600_000;

/** The results of a message's reception that its first attempt uses. */
export interface Received {
  /** The answers of the chain at RCPT. */
  readonly routings?: Routings;
  /** Returns the transports that the attempt uses in place of these. */
  readonly transportsFor?: (
    transports: ReadonlyMap<string, Transport>,
  ) => ReadonlyMap<string, Transport>;
  readonly client?: WaitingClient;
}

/** A client that has no reply yet, and is told the outcome of the first attempt. */
interface WaitingClient {
  /**
   * Takes the findings of the attempt. True if the client will be told of a refusal: then the relay sends no bounce
   * for it.
   */
  hears(findings: readonly Finding[]): boolean;
  /** The outcome is in the spool. */
  stored(): void;
  /** The attempt is over, with any result. It may be called twice. */
  ended(): void;
}

interface Begun {
  readonly controller: AbortController;
  /** The time of the beginning, by the monotonic clock. */
  readonly begun: number;
  /** True: the message came from the spool; false: from a client. */
  readonly taken: boolean;
  readonly ended: Promise<void>;
}

export class Queue {
  #services: QueueServices;
  readonly #active = new Map<MessageId, Begun>();
  readonly #pool: Pool = { slow: 0 };
  readonly #unrouted: Unrouted;
  /** The share of the event loop for all messages with many recipients together. */
  readonly #share = new LoopShare();
  #timer: Timer | undefined;
  #momentLater: Timer | undefined;
  #taking: Promise<void> | undefined;
  #takeAgain = false;
  #takesMore = true;
  #stopping = false;
  #whenIdle: (() => void) | undefined;

  constructor(services: QueueServices) {
    this.#services = services;
    this.#unrouted = new Unrouted(services.clock);
  }

  /** Uses this chain for the attempts that begin from now on. */
  follow(chain: QueueChain): void {
    this.#services = { ...this.#services, ...chain };
  }

  /** The settle services for attempts that begin now. */
  get settle(): SettleServices {
    return this.#services.settle;
  }

  /** Resolves when every attempt that is under way now has ended. */
  async passed(): Promise<void> {
    await Promise.all(Array.from(this.#active.values(), ({ ended }) => ended));
  }

  get hasRoom(): boolean {
    return this.#active.size < ACTIVE_MAX && !this.#stopping;
  }

  /** Starts the first attempt of a message whose spool state is "active" already. Returns at once. */
  attempt(message: StoredMessage, received?: Received): void {
    this.#begin(message, false, received);
  }

  #begin(message: StoredMessage, taken: boolean, received: Received = {}): void {
    const { clock } = this.#services;
    const { id } = message.envelope;
    const controller = new AbortController();
    const deadline = clock.after(ATTEMPT_DEADLINE, () =>
      controller.abort(new Error("the attempt took too long")),
    );
    const ended = this.#run(message, controller.signal, received).finally(() => {
      deadline.cancel();
      this.#active.delete(id);
      if (this.#active.size === 0) this.#whenIdle?.();
      if (this.#takeAgain) this.wake();
    });
    this.#active.set(id, { controller, begun: clock.monotonic(), taken, ended });
  }

  /** Takes due messages from the spool now, or as soon as there is room. */
  wake(): void {
    this.#takeAgain = this.#taking !== undefined || !this.#mayTake();
    if (this.#takeAgain) return;
    this.#taking = this.#take().finally(() => {
      this.#taking = undefined;
      if (this.#takeAgain) this.wake();
    });
  }

  #mayTake(): boolean {
    if (!this.hasRoom || !this.#takesMore) return false;
    if (this.#ahead() < AHEAD_MAX) return true;
    this.#momentLater ??= this.#services.clock.after(MOMENT, () => {
      this.#momentLater = undefined;
      this.wake();
    });
    return false;
  }

  /** The number of attempts of messages from the spool that began less than MOMENT ago. */
  #ahead(): number {
    const since = this.#services.clock.monotonic() - MOMENT;
    let ahead = 0;
    for (const { taken, begun } of this.#active.values()) if (taken && begun > since) ahead++;
    return ahead;
  }

  async #take(): Promise<void> {
    const { spool, clock, log } = this.#services;
    this.#timer?.cancel();
    try {
      const room = Math.min(ACTIVE_MAX - this.#active.size, AHEAD_MAX - this.#ahead());
      const due = await spool.take(clock.now(), room);
      for (const message of due) this.#begin(message, true);
      if (due.length === room) this.#takeAgain = true;
      const next = await spool.nextDue();
      const wait = next === undefined ? Number.POSITIVE_INFINITY : next - clock.now();
      // A message has become due meanwhile: no timer is needed.
      if (wait <= 0) this.#takeAgain = true;
      else if (wait < Number.POSITIVE_INFINITY) this.#wakeAfter(wait);
    } catch (error) {
      log.event("spool.failed", { error: describeError(error) });
      this.#wakeAfter(SPOOL_PAUSE);
    }
  }

  #wakeAfter(delay: number): void {
    if (!this.#takesMore) return;
    this.#timer?.cancel();
    this.#timer = this.#services.clock.after(delay, () => this.wake());
  }

  /** Never throws: after an error, the message waits for its next attempt. */
  async #run(
    message: StoredMessage,
    signal: AbortSignal,
    { routings, transportsFor, client }: Received,
  ): Promise<void> {
    const chain = this.#services;
    const { clock, log } = chain;
    const { id } = message.envelope;
    const share = this.#share;
    const shared = { share, pool: this.#pool, unrouted: this.#unrouted };
    let attempt: Attempt | undefined;
    try {
      const transports = transportsFor?.(chain.transports) ?? chain.transports;
      const services = { ...chain, transports, ...shared };
      const plan = planOf(message, clock.now(), chain.settle);
      attempt = new Attempt(message, plan, { signal, routings }, services);
      const findings = await attempt.run();
      await logCopies(message, findings, chain.gate, log);
      const now = clock.now();
      const refused = client?.hears(findings) === true;
      const means = { ...chain.settle, share, refused };
      const settlement = await settle(message, plan.attempted, findings, now, means);
      await this.#store(settlement, () => client?.stored());
    } catch (error) {
      log.event("relay.error", { id, where: "attempt", error: describeError(error) });
      client?.ended();
      await this.#store(postponed(message, attempt?.delivered ?? [], clock.now()));
    } finally {
      client?.ended();
    }
  }

  /**
   * Calls `onStored` first, as soon as the spool has the settlement. If the relay stops before that, it is not
   * called: the message is still ours.
   */
  async #store(settlement: Settlement, onStored?: () => void): Promise<void> {
    if (!(await store(settlement, this.#services, () => this.#stopping))) return;
    onStored?.();
    if (settlement.state === "completed") this.#unrouted.forget(settlement.id);
    this.#awaited(settlement);
    if (settlement.state === "queued" || settlement.reports.length > 0) this.wake();
  }

  #awaited({ id, recipients }: Settlement): void {
    const { hints, holds, log } = this.#services;
    const failed = (error: unknown) => log.event("spool.failed", { error: describeError(error) });
    const withheld = recipients.flatMap(({ position, heldTransport: transport }) =>
      transport === undefined ? [] : [{ recipient: { id, position }, transport }],
    );
    if (withheld.length > 0)
      void holds.awaitedTransports(withheld).then((released) => released && this.wake(), failed);
    for (const key of new Set(recipients.map(({ waitsFor }) => waitsFor?.key))) {
      if (key !== undefined) hints.awaited(key);
    }
    for (const domain of new Set(recipients.map(({ heldDomain }) => heldDomain))) {
      if (domain === undefined) continue;
      void holds.awaited(domain).then((released) => released && this.wake(), failed);
    }
  }

  get activeCount(): number {
    return this.#active.size;
  }

  /** Takes no more messages from the spool: they wait for the next start. Messages that still come in are attempted. */
  takeNoMore(): void {
    this.#takesMore = false;
    this.#timer?.cancel();
    this.#momentLater?.cancel();
  }

  /**
   * Begins no new attempt. Attempts under way may end by themselves; after `grace` ms they are cut and settled as
   * deferred.
   */
  async stop(grace: number): Promise<void> {
    this.#stopping = true;
    this.takeNoMore();
    // Messages that are being taken right now are recorded as under attempt, so they are attempted.
    await this.#taking;
    if (this.#active.size === 0) return;
    const idle = new Promise<void>((resolve) => (this.#whenIdle = resolve));
    const cut = this.#services.clock.after(grace, () => {
      for (const { controller } of this.#active.values())
        controller.abort(new Error("the relay stops"));
    });
    await idle;
    cut.cancel();
  }
}

/**
 * The settlement after an error of our own: recipients keep their state, deliveries are noted, and the next attempt
 * is in POSTPONED ms.
 */
function postponed(
  message: StoredMessage,
  journal: readonly JournalEntry[],
  now: number,
): Settlement {
  const recipients = message.recipients
    .filter(({ state }) => state === "pending")
    .map(({ position, state, attempts, firstFailure, lastStatus, clocks, mailDone }) => ({
      position,
      state,
      attempts: attempts + 1,
      nextAttempt: now + POSTPONED,
      ...given({ firstFailure, lastStatus, clocks, mailDone }),
    }));
  const { id } = message.envelope;
  const { warnings } = message;
  return { id, at: now, state: "queued", recipients, journal, warnings, reports: [] };
}

const POSTPONED = 300_000;
