// One host and the right to a connection to it: transaction after transaction, until every recipient has an answer or
// the host is of no further use. The pool, the hints and the log are told how the host behaved.
//
// Invariants:
// - An answer about one recipient holds up no other recipient.
// - A connection that the relay cut short, for itself or for a slow client, says nothing about the host.

import type { Batch, Recipient } from "../../src/contract/contract.ts";
import type { Conversation, TransactionResult } from "../../src/smtp/client/client.ts";
import { STILL_COMING } from "../../src/smtp/client/message.ts";
import { requiresTls } from "./candidates.ts";
import type { TransportContext } from "./context.ts";
import { DeliveryLog } from "./delivery-log.ts";
import type { Obstacle } from "./obstacle.ts";
import { accessRefusal, notPassed, outcomeOf, withoutAccess } from "./outcomes.ts";
import type { Lease } from "./pool.ts";
import { CLOSED_ON_OTHERS, untriedOutcome } from "./reasons.ts";
import { requireTlsRefusal, withoutRequireTls } from "./require-tls.ts";
import type { TargetHints } from "./target-hints.ts";
import type { Target } from "./targets.ts";
import type { Unsettled } from "./unsettled.ts";

interface Visited {
  readonly target: Target;
  readonly lease: Lease;
  readonly context: TransportContext;
  readonly batch: Batch;
  readonly signal: AbortSignal;
  readonly recipients: Unsettled;
  readonly hints: TargetHints;
  readonly obstacle: Obstacle;
  /** Milliseconds until the next attempt for recipients left when the host has ended too many connections. */
  readonly pause: number;
}

export class Visit {
  readonly #at: Visited;
  readonly #log: DeliveryLog;
  readonly #requiresTls: boolean;

  constructor(at: Visited) {
    this.#at = at;
    this.#log = new DeliveryLog(at.context.services.log, at.batch.envelope.id);
    this.#requiresTls = requiresTls(at.context, at.batch);
  }

  async run(): Promise<void> {
    const { target, recipients, obstacle } = this.#at;
    obstacle.enter(target.place);
    recipients.closings.nextHost();
    while (recipients.here.length > 0) {
      const conversation = await this.#connected();
      if (conversation === undefined || this.#cannotTake(conversation)) return;
      if (!(await this.#transact(conversation))) return;
    }
  }

  /** Returns the connection of the lease if it is still good, or a new one. Undefined if the host cannot be used. */
  async #connected(): Promise<Conversation | undefined> {
    const { lease, context, target, signal, obstacle } = this.#at;
    const current = lease.conversation;
    const most = context.options.connection_max_messages;
    if (current?.alive && current.transactions < most) return current;
    lease.conversation = undefined;
    if (current !== undefined) void current.close();
    const reached = await context.dialler.dial(target, signal);
    if (reached.kind === "connected") {
      lease.conversation = reached.conversation;
      this.#log.testedPolicy(reached.conversation, target);
      return reached.conversation;
    }
    if (this.#cannotTake(reached)) return undefined;
    obstacle.fail(reached.status, reached.error);
    if (reached.error === "auth_failed") this.#log.shutOut(target, reached);
    if (reached.noRoute) obstacle.tried--;
    else this.#fail();
    return undefined;
  }

  /** Whether the message requires TLS and the host cannot take it for that reason. */
  #cannotTake(reached: Parameters<typeof requireTlsRefusal>[1]): boolean {
    const { target, obstacle } = this.#at;
    const refusal = this.#requiresTls ? requireTlsRefusal(target.label, reached) : undefined;
    if (refusal !== undefined) obstacle.excludes(refusal);
    return refusal !== undefined;
  }

  /** The host failed, for the reason in `obstacle`. Other deliveries leave it alone until its retry time. */
  #fail(): void {
    const { signal, lease, target, hints, obstacle } = this.#at;
    // The relay's own deadline has passed, so the host has not failed.
    if (signal.aborted) return;
    lease.worked(false);
    obstacle.putOff(hints.failed(target, obstacle));
  }

  /** Runs one transaction for up to `max_rcpt` recipients. Returns false if the batch needs no more from this host. */
  async #transact(conversation: Conversation): Promise<boolean> {
    const { target, lease, context, batch, signal, recipients, hints } = this.#at;
    const isUsed = conversation.transactions > 0;
    const asked = recipients.here.slice(0, context.options.max_rcpt);
    const result = await this.#ask(conversation, asked);
    const { failure, closed, answered } = result;
    // The connection had died of age between two messages. That says nothing about the host; a new one is opened.
    const isOver = closed || failure?.scope === "host";
    if (isUsed && isOver && !answered && !signal.aborted) return true;
    const settled = recipients.take(asked, result, { place: target.place, tls: conversation.tls });
    recipients.revise(asked, (recipient, outcome) => hints.learnt(target, recipient, outcome));
    // A message that is still coming in can be sent only once.
    if (batch.body.unread === false) {
      const status = failure?.status ?? STILL_COMING;
      recipients.settleRest(notPassed(outcomeOf(status, "message", target.place)));
    }
    if (failure !== undefined || closed) return this.#goesOnAfterEnd(result);
    lease.worked(true);
    hints.succeeded(target);
    // Every transaction without a failure settles a recipient. If a bug breaks that, the loop must still end.
    return settled > 0;
  }

  async #ask(
    conversation: Conversation,
    recipients: readonly Recipient[],
  ): Promise<TransactionResult> {
    const { target, context, batch, signal } = this.#at;
    const { body, envelope: whole } = batch;
    const envelope = this.#requiresTls ? whole : withoutRequireTls(whole);
    const transaction = { envelope, recipients, body, eightBit: context.options.eight_bit };
    const result = await conversation.transact(transaction, signal);
    const refusal = context.dialler.isOwn(target) ? accessRefusal(result) : undefined;
    if (refusal === undefined) return result;
    this.#log.shutOut(target, { status: refusal });
    return withoutAccess(result);
  }

  /**
   * The connection has ended, with an answer or instead of one. If the end is about a recipient, or may be, the other
   * recipients go on at this host. If it is about the message, other messages may still go to the host.
   */
  #goesOnAfterEnd(result: TransactionResult): boolean {
    const { failure, closed, message } = result;
    const { context, recipients, pause } = this.#at;
    this.#noteObstacle(result);
    this.#tellHints(result);
    const isRecipients = failure?.recipient !== undefined || (closed && message?.code !== 421);
    const { here } = recipients;
    if (!isRecipients || here.length === 0) return false;
    const isSlow = failure?.error === "timeout";
    if (!isSlow && recipients.closings.mayGoOn()) return true;
    const later = context.services.clock.now() + pause;
    const outcome = untriedOutcome(CLOSED_ON_OTHERS, "message", later);
    recipients.settle(new Map(here.map(({ id }) => [id, outcome])));
    return false;
  }

  #noteObstacle({ failure, message }: TransactionResult): void {
    const { recipients, obstacle } = this.#at;
    if (failure !== undefined) obstacle.fail(failure.status, failure.error);
    else if (message?.code === 421) obstacle.fail(message, undefined);
    if (failure?.cause === undefined) return;
    // The relay's own copy of the message cannot be read, so no host can help.
    this.#log.ownError(failure.cause);
    recipients.settleRest(obstacle.outcomeOfMessage(failure.status));
  }

  /** Records a hint if the end of the connection says something about the host. */
  #tellHints({ failure, answered, message }: TransactionResult): void {
    const { target, batch, signal, hints, obstacle } = this.#at;
    if (signal.aborted || batch.body.unread === false) return;
    const isUnasked = failure?.scope === "host" && failure.status.code === 421;
    const isMessages = message?.code === 421 || (failure?.scope === "host" && !answered);
    if (isUnasked) this.#fail();
    else if (isMessages) hints.closedUnder(target, obstacle, failure !== undefined);
  }
}
