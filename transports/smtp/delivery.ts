// One batch on its way: from host to host in order, until every recipient has an answer. A host that cannot be
// talked to is passed over for the next; a host that has spoken about a recipient or the message is believed.
//
// Invariants: a recipient that has an outcome is never sent again; only who is left goes to the next host. Who was
// taken to no host at all is "untried", and has a time at which it makes sense to try.

import { given } from "../../src/base/given.ts";
import type { Batch, HostFailure, Outcome, Recipient } from "../../src/contract/contract.ts";
import type { RecipientId } from "../../src/mail/envelope.ts";
import type { Host, RetryError } from "../../src/mail/host.ts";
import type { Conversation, TransactionResult } from "../../src/smtp/client/client.ts";
import { STILL_COMING } from "../../src/smtp/client/message.ts";
import type { Status } from "../../src/mail/status.ts";
import type { Means } from "./means.ts";
import { Closings } from "./closings.ts";
import { accessRefusal, notPassed, outcomeOf, settle, withoutAccess } from "./outcomes.ts";
import type { Barred, Policies } from "./policy.ts";
import { learnt } from "./learning.ts";
import { Notices } from "./notices.ts";
import type { Lease } from "./pool.ts";
import {
  busy,
  CLOSED_ON_OTHERS,
  type Deferral,
  GIVEN_UP,
  LOOKED_UP,
  NO_HOSTS,
  NOT_SPARED,
  type PutOff,
  untried,
  waitFor,
} from "./reasons.ts";
import { refusalOf, withoutRequireTls } from "./require-tls.ts";
import { countBarred } from "./sessions.ts";
import { socketTarget, targetsOf, type Target } from "./targets.ts";
import { leftInPeace, waitingForTurns } from "./waiting.ts";
import { shuffled } from "../../src/base/shuffled.ts";

/**
 * When a message comes back that found too many before it, in ms; up to thrice that. It is woken before if the host
 * takes mail.
 */
const BUSY_PAUSE = 60_000;

export async function deliverBatch(
  means: Means,
  batch: Batch,
  signal: AbortSignal,
): Promise<ReadonlyMap<RecipientId, Outcome>> {
  const delivery = new Delivery(means, batch, signal);
  await delivery.run();
  delivery.keepTurns();
  return delivery.outcomes;
}

class Delivery {
  readonly outcomes = new Map<RecipientId, Outcome>();
  readonly #means: Means;
  readonly #batch: Batch;
  readonly #signal: AbortSignal;
  readonly #notices: Notices;
  /** Who has no outcome yet. */
  #left: readonly Recipient[];
  readonly #closings = new Closings();
  /** Why nobody was talked to, who that was, and when it makes sense to try again. */
  #why: Status = NO_HOSTS;
  #error: RetryError | undefined;
  /** Why no host that was asked so far can ever be given a message that requires TLS. */
  #cannot: Status | undefined;
  readonly #requiresTls: boolean;
  #whose: Target["place"] | undefined;
  #again: PutOff | undefined;
  #tried = 0;
  #hasTurn = false;
  readonly #pause = Math.ceil(BUSY_PAUSE * (1 + 2 * Math.random()));

  constructor(means: Means, batch: Batch, signal: AbortSignal) {
    this.#means = means;
    this.#batch = batch;
    this.#signal = signal;
    this.#notices = new Notices(means.services.log, batch.envelope.id);
    this.#left = batch.recipients;
    this.#requiresTls = batch.envelope.requireTls === true && means.options.socket === undefined;
  }

  async run(): Promise<void> {
    const { hints } = this.#means.services;
    if (!hints.isEmpty && !this.#batch.force) this.#leave(leftInPeace(hints, this.#left));
    if (this.#left.length === 0) return;
    for await (const target of this.#targets()) {
      if (target === undefined) return this.#comesLater();
      if ("status" in target) countBarred(this.#means.services.tlsSessions, target);
      if ("status" in target && target.status.code >= 500) {
        this.#cannot = target.status;
      } else if ("status" in target) {
        this.#why = target.status;
        this.#error = target.error;
      } else if (!(await this.#goesOnAfter(target))) return;
    }
    this.#settleRest(this.#reason, "host");
  }

  /** A host that may do better another time is a better reason than one that never will. */
  get #reason(): Status {
    return this.#why === NO_HOSTS ? (this.#cannot ?? NO_HOSTS) : this.#why;
  }

  /** Takes a turn for everybody, once; who has to wait for it leaves. */
  #takeTurns(): void {
    if (this.#hasTurn) return;
    this.#hasTurn = true;
    this.#leave(waitingForTurns(this.#means.turns, this.#batch, this.#left));
  }

  #leave(outcomes: ReadonlyMap<RecipientId, Outcome>): void {
    if (outcomes.size === 0) return;
    for (const [id, outcome] of outcomes) this.outcomes.set(id, outcome);
    this.#left = this.#left.filter(({ id }) => !outcomes.has(id));
  }

  /** Who is to have the message in the ordinary way instead has had a turn already. */
  keepTurns(): void {
    if (!this.#hasTurn) return;
    const again = this.#batch.recipients.filter(({ id }) => {
      const outcome = this.outcomes.get(id);
      return outcome !== undefined && "notPassed" in outcome;
    });
    if (again.length > 0) this.#means.turns.keep(this.#batch, again);
  }

  #targets(): AsyncIterable<Target | Barred | undefined> | readonly Target[] {
    const { options, services, room } = this.#means;
    const policies = this.#policies();
    return options.socket === undefined
      ? targetsOf(this.#hosts(), options.port, { services, policies, room })
      : [socketTarget(options.socket, this.#means.policies.local)];
  }

  /** Too many look-ups take long. */
  #comesLater(): void {
    const later = this.#means.room.later();
    this.#holdRest(untried(LOOKED_UP, "message", later), this.#closings.outcomes);
  }

  /** RFC 8460 3: the report that says that TLS is broken gets through all the same. */
  #policies(): Pick<Policies, "of"> {
    const { policies, strictPolicies } = this.#means;
    if (this.#batch.envelope.tlsOptional === true) return { of: () => policies.local };
    return this.#requiresTls ? strictPolicies : policies;
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
    else if (this.#tried >= this.#means.options.hosts_max_try)
      this.#settleRest(this.#reason, "host");
    else if (!this.#isBlocked(target)) await this.#deliverTo(target);
    return this.#left.length > 0;
  }

  /** The host's retry time has not come: it is passed over. */
  #isBlocked(target: Target): boolean {
    if (this.#batch.force) return false;
    const key = this.#keyOf(target);
    const hint = this.#means.services.hints.blocked(key, this.#batch.envelope.id);
    if (hint !== undefined)
      this.#passOver(target, waitFor(target.label, hint.status), hint.nextTry);
    return hint !== undefined;
  }

  /** Who was before us in the line knows that the host cannot be used. That is as good as an attempt of our own. */
  #isFoundOut(lease: Lease, target: Target): boolean {
    if (!this.#batch.force) return this.#isBlocked(target);
    const hint = this.#means.services.hints.blocked(this.#keyOf(target));
    if (hint === undefined || !lease.failedMeanwhile) return false;
    this.#passOver(target, hint.status, hint.nextTry);
    this.#tried++;
    return true;
  }

  #passOver(target: Target, why: Status, notBefore: number): void {
    this.#putOff(target, notBefore);
    if (this.#tried > 0) return;
    this.#error = undefined;
    this.#why = why;
    this.#whose = target.place;
  }

  #putOff(target: Target, notBefore: number): void {
    if (this.#again !== undefined && this.#again.notBefore <= notBefore) return;
    const waitsFor = { key: this.#keyOf(target), host: target.name };
    this.#again = { notBefore: Math.ceil(notBefore), waitsFor };
  }

  /** A host may be good for some mail, and not for what insists on TLS, nor for a transport that logs in. */
  #keyOf({ label, policy }: Target): string {
    const user = this.#means.options.credentials?.user;
    return label + policy.hint + (user === undefined ? "" : ` as ${user}`);
  }

  async #deliverTo(target: Target): Promise<void> {
    const { pool, services } = this.#means;
    const inDoubt = !this.#batch.force && services.hints.isInDoubt(this.#keyOf(target));
    const isOwn = target.domain === undefined;
    const room = pool.room(target, inDoubt, isOwn);
    const isPassing = this.#batch.body.unread !== undefined;
    if (isPassing && (inDoubt || room !== "free" || !pool.hasSpare(target)))
      return this.#holdRest(NOT_SPARED);
    if (room !== "free") {
      this.#passOver(target, busy(target.label), services.clock.now() + this.#pause);
      // A host that works is worth waiting for.
      if (room === "busy") this.#settleRest(this.#why, "host");
      return;
    }
    this.#takeTurns();
    if (this.#left.length === 0) return;
    using lease = await pool.lease(target, this.#signal, { passing: isPassing, isOwn });
    if (lease === undefined) {
      this.#holdRest(
        untried(busy(target.label), "message", services.clock.now()),
        this.#closings.outcomes,
      );
      return;
    }
    if (this.#isFoundOut(lease, target)) return;
    this.#tried++;
    this.#whose = target.place;
    this.#closings.nextHost();
    while (this.#here.length > 0) {
      const conversation = await this.#conversation(lease, target);
      if (conversation === undefined || this.#isRefusedBy(conversation, target)) return;
      if (!(await this.#transact(conversation, lease, target))) return;
    }
  }

  #isRefusedBy(reached: Parameters<typeof refusalOf>[1], { label }: Target): boolean {
    const refusal = this.#requiresTls ? refusalOf(label, reached) : undefined;
    this.#cannot = refusal ?? this.#cannot;
    return refusal !== undefined;
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
      this.#notices.testedPolicy(connected.conversation, target);
      return connected.conversation;
    }
    if (this.#isRefusedBy(connected, target)) return undefined;
    this.#why = connected.status;
    this.#error = connected.error;
    if (connected.error === "auth_failed") this.#notices.shutOut(target, connected);
    if (connected.noRoute) this.#tried--;
    else this.#hostFailed(lease, target);
    return undefined;
  }

  /** Nobody else need find out before the host's retry time. */
  #hostFailed(lease: Lease, target: Target): void {
    // It was our time that ran out.
    if (this.#signal.aborted) return;
    lease.worked(false);
    const failure = this.#failure(target, this.#why, this.#error);
    this.#putOff(target, this.#means.services.hints.failed(this.#keyOf(target), failure));
  }

  #failure({ name: host }: Target, why: Status, error: RetryError | undefined): HostFailure {
    const [first] = this.#batch.recipients;
    const domain = first?.mailbox.domain ?? host;
    return { host, domain, status: why, ...given({ error }) };
  }

  /** One transaction for as many as may be in one. False: the host is done with, as far as this batch goes. */
  async #transact(conversation: Conversation, lease: Lease, target: Target): Promise<boolean> {
    const { body, envelope: whole } = this.#batch;
    const envelope = this.#requiresTls ? whole : withoutRequireTls(whole);
    const used = conversation.transactions > 0;
    const { max_rcpt: most, eight_bit: eightBit } = this.#means.options;
    const recipients = this.#here.slice(0, most);
    const transaction = { envelope, recipients, body, eightBit };
    const answers = await conversation.transact(transaction, this.#signal);
    const { failure } = answers;
    const refusal = this.#means.dialler.isOwn(target) ? accessRefusal(answers) : undefined;
    const result = refusal === undefined ? answers : withoutAccess(answers);
    if (refusal !== undefined) this.#notices.shutOut(target, { status: refusal });
    // It had died of age between two messages: that says nothing of the host, and a new one will do.
    const isOver = result.closed || failure?.scope === "host";
    if (used && isOver && !result.answered && !this.#signal.aborted) return true;
    const how = { place: target.place, tls: conversation.tls };
    const again = settle(this.outcomes, recipients, result, how);
    const asked = new Set(recipients);
    this.#left = [...again, ...this.#left.filter((one) => !asked.has(one))];
    this.#closings.listenTo(recipients, result, target.place);
    this.#learnOf(recipients, target);
    // It can be sent once only.
    if (body.unread === false) {
      const why = failure?.status ?? STILL_COMING;
      this.#holdRest(notPassed(outcomeOf(why, "message", target.place)));
    }
    if (failure === undefined && !result.closed) {
      lease.worked(true);
      const { pool, services } = this.#means;
      services.hints.succeeded(this.#keyOf(target), pool.vacancies(target));
      // Every transaction without a failure settles somebody; a bug must not make this an endless loop.
      return again.length < recipients.length;
    }
    return this.#goesOnWithoutThem(result, lease, target);
  }

  /**
   * The connection is gone: with an answer or in the place of one. What was said of a recipient, or may have to do
   * with one, holds up nobody else; what has to do with the message is no reason to keep others from the host.
   */
  #goesOnWithoutThem(
    { failure, closed, answered, message }: TransactionResult,
    lease: Lease,
    target: Target,
  ): boolean {
    if (failure !== undefined) {
      this.#why = failure.status;
      this.#error = failure.error;
    } else if (message?.code === 421) {
      this.#why = message;
      this.#error = undefined;
    }
    if (failure?.cause !== undefined) this.#ownTrouble(failure.status, failure.cause);
    const isMessages = message?.code === 421 || (failure?.scope === "host" && !answered);
    const isUnasked = failure?.scope === "host" && failure.status.code === 421;
    // One that was cut short by us, or whose client is slow, says nothing of the host.
    const isTelling = !this.#signal.aborted && this.#batch.body.unread !== false;
    if (isUnasked && isTelling) this.#hostFailed(lease, target);
    else if (isMessages && isTelling) {
      const how = this.#failure(target, this.#why, this.#error);
      const under = { message: this.#batch.envelope.id, isSilent: failure !== undefined };
      this.#means.services.hints.closedUnder(this.#keyOf(target), how, under);
    }
    const isRecipients = failure?.recipient !== undefined || (closed && message?.code !== 421);
    if (!isRecipients || this.#here.length === 0) return false;
    const isSlow = failure?.error === "timeout";
    if (!isSlow && this.#closings.mayGoOn()) return true;
    const later = this.#means.services.clock.now() + this.#pause;
    const outcome = untried(CLOSED_ON_OTHERS, "message", later);
    this.#leave(new Map(this.#here.map(({ id }) => [id, outcome])));
    return false;
  }

  /** Who is to be asked about at this host. */
  get #here(): readonly Recipient[] {
    return this.#closings.without(this.#left);
  }

  #learnOf(recipients: readonly Recipient[], target: Target): void {
    const { hints } = this.#means.services;
    const failureOf = (why: Status) => this.#failure(target, why, undefined);
    for (const one of recipients) {
      const known = this.outcomes.has(one.id) ? this.outcomes : this.#closings.outcomes;
      const outcome = known.get(one.id);
      if (outcome !== undefined) known.set(one.id, learnt(hints, one, outcome, failureOf));
    }
  }

  /** It is our message that cannot be read: no host can help. */
  #ownTrouble(why: Status, cause: unknown): void {
    this.#notices.ownError(cause);
    this.#settleRest(why, "message");
  }

  #settleRest(why: Status, scope: "message" | "host"): void {
    const outcome = outcomeOf(why, scope, this.#whose);
    if (outcome.kind !== "deferred" || scope === "message") return this.#holdRest(outcome);
    const rest: Deferral = {
      ...outcome,
      ...given({ error: this.#error }),
      ...this.#again,
      ...(this.#again !== undefined && this.#tried === 0 ? { untried: true } : {}),
    };
    this.#holdRest(rest, this.#closings.outcomes);
  }

  /** `own` are the outcomes of those who have one already, as it stands. */
  #holdRest(outcome: Outcome, own: ReadonlyMap<RecipientId, Outcome> = new Map()): void {
    for (const { id } of this.#left) this.outcomes.set(id, own.get(id) ?? outcome);
    this.#left = [];
  }
}
