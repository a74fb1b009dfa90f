// One batch on its way: from host to host in order, until every recipient has an answer. A host that cannot be
// talked to is passed over for the next; a host that has spoken about a recipient or the message is believed.
//
// Invariant: a recipient that has an outcome is never sent again; only who is left goes to the next host.

import type { Batch, Host, Outcome, Recipient, Services } from "../../src/contract.ts";
import type { RecipientId } from "../../src/envelope.ts";
import { describeError } from "../../src/log.ts";
import type { Conversation } from "../../src/smtp/client.ts";
import { status, type Status } from "../../src/status.ts";
import type { Dialler } from "./dialler.ts";
import { outcomeOf, settle } from "./outcomes.ts";
import type { Lease, Pool } from "./pool.ts";
import type { RecentFailures } from "./recent-failures.ts";
import type { SmtpOptions } from "./settings.ts";
import { targetsOf, type Target } from "./targets.ts";

/** What one transport has for all its deliveries. */
export interface Means {
  readonly options: SmtpOptions;
  readonly services: Services;
  readonly pool: Pool;
  readonly dialler: Dialler;
  readonly failures: RecentFailures;
}

const NO_HOSTS = status(451, "3.5", "No host to deliver to is configured");
const GIVEN_UP = status(451, "4.7", "The attempt took too long and was given up");
const NO_CONNECTION_FREE = status(451, "4.5", "All connections to the host were in use");

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
  /** Why nobody was talked to, and who that was. */
  #why: Status = NO_HOSTS;
  #whose: string | undefined;
  #tried = 0;

  constructor(means: Means, batch: Batch, signal: AbortSignal) {
    this.#means = means;
    this.#batch = batch;
    this.#signal = signal;
    this.#left = batch.recipients;
  }

  async run(): Promise<void> {
    const { options, services, failures } = this.#means;
    const later: Target[] = [];
    for await (const target of targetsOf(this.#hosts(), options.port, services.resolver)) {
      if ("status" in target) this.#why = target.status;
      else if (failures.has(target.address)) later.push(target);
      else if (!(await this.#goesOnAfter(target))) return;
    }
    for (const target of later) {
      if (!(await this.#goesOnAfter(target))) return;
    }
    this.#settleRest(this.#why, "host");
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
    else await this.#deliverTo(target);
    return this.#left.length > 0;
  }

  async #deliverTo(target: Target): Promise<void> {
    this.#tried++;
    this.#whose = `${target.name} [${target.address}]`;
    using lease = await this.#means.pool.lease(target, this.#signal);
    if (lease === undefined) {
      this.#settleRest(NO_CONNECTION_FREE, "message");
      return;
    }
    while (this.#left.length > 0) {
      const conversation = await this.#conversation(lease, target);
      if (conversation === undefined || !(await this.#transact(conversation))) return;
    }
  }

  /** The connection of the lease if it is still good, or a new one; undefined if there is none to be had. */
  async #conversation(lease: Lease, target: Target): Promise<Conversation | undefined> {
    const { dialler, failures, options } = this.#means;
    const current = lease.conversation;
    if (current?.alive && current.transactions < options.connection_max_messages) return current;
    lease.conversation = undefined;
    if (current !== undefined) void current.close();
    const connected = await dialler.dial(target, this.#signal);
    if (connected.kind === "connected") {
      failures.delete(target.address);
      lease.conversation = connected.conversation;
    } else {
      this.#why = connected.status;
      if (connected.noRoute) this.#tried--;
      if (!this.#signal.aborted) failures.add(target.address);
    }
    return lease.conversation;
  }

  /** One transaction for as many as may be in one. False: the host is done with, as far as this batch goes. */
  async #transact(conversation: Conversation): Promise<boolean> {
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
    // Every transaction without a failure settles somebody; a bug must not make this an endless loop.
    if (failure === undefined) return again.length < recipients.length;
    this.#why = failure.status;
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
    for (const { id } of this.#left) this.outcomes.set(id, outcome);
    this.#left = [];
  }
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
