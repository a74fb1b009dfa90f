// One batch on its way: from host to host in order, until every recipient has an answer. A host that cannot be
// talked to is passed over for the next; a host that has spoken about a recipient or the message is believed.
//
// Invariant: a recipient that has an outcome is never sent again; only who is left goes to the next host.

import type { Batch, Host, Outcome, Recipient, RetryError, Services } from "../../src/contract.ts";
import type { RecipientId } from "../../src/envelope.ts";
import { describeError } from "../../src/log.ts";
import type { Conversation } from "../../src/smtp/client.ts";
import { status, type Status } from "../../src/status.ts";
import type { Dialler } from "./dialler.ts";
import { outcomeOf, settle } from "./outcomes.ts";
import type { Pace } from "./pace.ts";
import type { Lease, Pool } from "./pool.ts";
import type { SmtpOptions } from "./settings.ts";
import { targetsOf, type Target } from "./targets.ts";

/** What one transport has for all its deliveries. */
export interface Means {
  readonly options: SmtpOptions;
  readonly services: Services;
  readonly pool: Pool;
  readonly dialler: Dialler;
  readonly pace: Pace | undefined;
}

const NO_HOSTS = status(451, "3.5", "No host to deliver to is configured");
const GIVEN_UP = status(451, "4.7", "The attempt took too long and was given up");
const BUSY = status(451, "4.5", "All connections to the host are in use");
const PACED = status(451, "4.5", "The recipient gets mail at a limited rate, this is to come");

/** Milliseconds after which a message comes back that found the line before a host too long; up to thrice that. */
const BUSY_PAUSE = 1000;

export async function deliverBatch(
  means: Means,
  batch: Batch,
  signal: AbortSignal,
): Promise<ReadonlyMap<RecipientId, Outcome>> {
  const delivery = new Delivery(means, batch, signal);
  await delivery.run();
  return delivery.outcomes;
}

class Delivery {
  readonly outcomes = new Map<RecipientId, Outcome>();
  readonly #means: Means;
  readonly #batch: Batch;
  readonly #signal: AbortSignal;
  /** Who has no outcome yet. */
  #left: readonly Recipient[];
  /** Why nobody was talked to, who that was, and when it makes sense to try again. */
  #why: Status = NO_HOSTS;
  #error: RetryError | undefined;
  #whose: string | undefined;
  #notBefore = Number.POSITIVE_INFINITY;
  #tried = 0;

  constructor(means: Means, batch: Batch, signal: AbortSignal) {
    this.#means = means;
    this.#batch = batch;
    this.#signal = signal;
    this.#left = batch.recipients;
  }

  async run(): Promise<void> {
    const { options, services, pace } = this.#means;
    if (pace !== undefined && !this.#batch.force) this.#holdBack(pace);
    if (this.#left.length === 0) return;
    for await (const target of targetsOf(this.#hosts(), options.port, services.resolver)) {
      if ("status" in target) {
        this.#why = target.status;
        this.#error = "lookup";
      } else if (!(await this.#goesOnAfter(target))) return;
    }
    this.#settleRest(this.#why, "host");
  }

  #holdBack(pace: Pace): void {
    const { envelope, fresh } = this.#batch;
    this.#left = this.#left.filter(({ id, mailbox }) => {
      const recipient = `${mailbox.localPart.toLowerCase()}@${mailbox.domain}`;
      const notBefore = pace.turn(recipient, envelope.id, fresh);
      if (notBefore === undefined) return true;
      this.outcomes.set(id, untried(PACED, "recipient", notBefore));
      return false;
    });
  }

  #hosts(): readonly Host[] {
    const { hosts, fallback_hosts: fallback, hosts_randomize: randomize } = this.#means.options;
    const own = randomize ? shuffled : <T>(list: readonly T[]) => list;
    const first = this.#batch.hosts ?? own(hosts ?? []);
    return fallback === undefined ? first : [...first, ...own(fallback)];
  }

  /** Takes who is left to this target. False when there is nothing more to do. */
  async #goesOnAfter(target: Target): Promise<boolean> {
    if (this.#signal.aborted) this.#settleRest(GIVEN_UP, "host");
    else if (this.#tried >= this.#means.options.hosts_max_try) this.#settleRest(this.#why, "host");
    else if (!this.#isBlocked(target)) await this.#deliverTo(target);
    return this.#left.length > 0;
  }

  /** The host's retry time has not come: it is passed over. */
  #isBlocked(target: Target): boolean {
    if (this.#batch.force) return false;
    const key = hintKey(target);
    const hint = this.#means.services.hints.blocked(key);
    if (hint === undefined) return false;
    this.#notBefore = Math.min(this.#notBefore, hint.nextTry);
    if (this.#tried === 0) {
      this.#why = hint.status;
      this.#whose = key;
    }
    return true;
  }

  async #deliverTo(target: Target): Promise<void> {
    const granted = await this.#means.pool.lease(target, this.#signal, this.#batch.force);
    if (granted === "busy") {
      const pause = BUSY_PAUSE * (1 + 2 * Math.random());
      this.#holdRest(untried(BUSY, "message", this.#means.services.clock.now() + pause));
      return;
    }
    using lease = granted;
    // Who was first in the line may have found out meanwhile.
    if (this.#isBlocked(target)) return;
    this.#tried++;
    this.#whose = hintKey(target);
    if (lease === undefined) {
      this.#settleRest(BUSY, "message");
      return;
    }
    while (this.#left.length > 0) {
      const conversation = await this.#conversation(lease, target);
      if (conversation === undefined || !(await this.#transact(conversation, lease, target)))
        return;
    }
  }

  /** The connection of the lease if it is still good, or a new one; undefined if there is none to be had. */
  async #conversation(lease: Lease, target: Target): Promise<Conversation | undefined> {
    const { dialler, options } = this.#means;
    const current = lease.conversation;
    if (current?.alive && current.transactions < options.connection_max_messages) return current;
    lease.conversation = undefined;
    if (current !== undefined) void current.close();
    const connected = await dialler.dial(target, this.#signal);
    if (connected.kind === "connected") {
      lease.conversation = connected.conversation;
      return connected.conversation;
    }
    this.#why = connected.status;
    this.#error = connected.error;
    if (connected.noRoute) this.#tried--;
    if (!this.#signal.aborted) this.#hostFailed(lease, target);
    return undefined;
  }

  /** Nobody else need find out before the host's retry time. */
  #hostFailed(lease: Lease, target: Target): void {
    lease.worked(false);
    const [first] = this.#batch.recipients;
    const nextTry = this.#means.services.hints.failed(hintKey(target), {
      host: target.name,
      domain: first?.mailbox.domain ?? target.name,
      status: this.#why,
      ...(this.#error === undefined ? {} : { error: this.#error }),
    });
    this.#notBefore = Math.min(this.#notBefore, nextTry);
  }

  /** One transaction for as many as may be in one. False: the host is done with, as far as this batch goes. */
  async #transact(conversation: Conversation, lease: Lease, target: Target): Promise<boolean> {
    const { envelope, body } = this.#batch;
    const used = conversation.transactions > 0;
    const most = this.#means.options.max_rcpt;
    const recipients = this.#left.slice(0, most);
    const result = await conversation.transact({ envelope, recipients, body }, this.#signal);
    const { failure } = result;
    // It had died of age between two messages: that says nothing of the host, and a new one will do.
    if (used && failure?.scope === "host" && !result.answered && !this.#signal.aborted) return true;
    const again = settle(this.outcomes, recipients, result, this.#whose ?? "");
    this.#left = [...again, ...this.#left.slice(most)];
    if (failure === undefined) {
      lease.worked(true);
      this.#means.services.hints.succeeded(hintKey(target));
      // Every transaction without a failure settles somebody; a bug must not make this an endless loop.
      return again.length < recipients.length;
    }
    this.#why = failure.status;
    this.#error = failure.error;
    // 421 speaks of the host; a connection that broke may have been the only one.
    if (failure.status.code === 421) this.#hostFailed(lease, target);
    if (failure.cause !== undefined) this.#ownTrouble(failure.status, failure.cause);
    return false;
  }

  /** It is our message that cannot be read: no host can help. */
  #ownTrouble(why: Status, cause: unknown): void {
    this.#means.services.log.event("relay.error", {
      id: this.#batch.envelope.id,
      where: "smtp transport",
      error: describeError(cause),
    });
    this.#settleRest(why, "message");
  }

  #settleRest(why: Status, scope: "message" | "host"): void {
    const outcome = outcomeOf(why, scope, this.#whose);
    if (outcome.kind !== "deferred" || scope === "message") return this.#holdRest(outcome);
    const isPutOff = Number.isFinite(this.#notBefore);
    this.#holdRest({
      ...outcome,
      ...(this.#error === undefined ? {} : { error: this.#error }),
      ...(isPutOff ? { notBefore: this.#notBefore } : {}),
      ...(isPutOff && this.#tried === 0 ? { untried: true } : {}),
    });
  }

  #holdRest(outcome: Outcome): void {
    for (const { id } of this.#left) this.outcomes.set(id, outcome);
    this.#left = [];
  }
}

function untried(why: Status, scope: "recipient" | "message", notBefore: number): Outcome {
  return { kind: "deferred", status: why, scope, notBefore: Math.ceil(notBefore), untried: true };
}

/** What hints know a target by; also what stands in the log and in reports: "mx.example.net [192.0.2.1]". */
function hintKey({ name, address, port }: Target): string {
  return `${name} [${address}]${port === 25 ? "" : `:${port}`}`;
}

/** Every order is equally likely (Fisher and Yates). */
function shuffled<T>(items: readonly T[]): readonly T[] {
  const result: T[] = [];
  for (const item of items) {
    const place = Math.floor(Math.random() * (result.length + 1));
    const moved = result[place];
    if (moved !== undefined) result.push(moved);
    result[place] = item;
  }
  return result;
}
