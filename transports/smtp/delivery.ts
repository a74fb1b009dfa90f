// One batch on its way: from host to host in order, until every recipient has an answer. A host that cannot be
// talked to is passed over for the next; a host that has spoken about a recipient or the message is believed.
//
// Invariants: a recipient that has an outcome is never sent again; only recipients that are left go to the next host. A
// recipient that was taken to no host at all is "untried", and has a time at which it makes sense to try.

import type { Batch, Outcome } from "../../src/contract/contract.ts";
import type { RecipientId } from "../../src/mail/envelope.ts";
import type { Status } from "../../src/mail/status.ts";
import { candidatesOf } from "./candidates.ts";
import type { TransportContext } from "./context.ts";
import { Obstacle } from "./obstacle.ts";
import type { Lease } from "./pool.ts";
import type { Barred } from "./policy.ts";
import {
  busyStatus,
  GIVEN_UP,
  LOOKED_UP,
  NOT_SPARED,
  untriedOutcome,
  waitStatus,
} from "./reasons.ts";
import { countBarred } from "./tls-results.ts";
import { TargetHints } from "./target-hints.ts";
import type { Target } from "./targets.ts";
import { Unsettled } from "./unsettled.ts";
import { Visit } from "./visit.ts";
import { leftInPeace, waitingForTurns } from "./waiting.ts";

/**
 * When a message comes back that found too many before it, in ms; up to thrice that. It is woken before if the host
 * takes mail.
 */
const BUSY_PAUSE = 60_000;

export async function deliverBatch(
  context: TransportContext,
  batch: Batch,
  signal: AbortSignal,
): Promise<ReadonlyMap<RecipientId, Outcome>> {
  const walk = new HostWalk(context, batch, signal);
  await walk.run();
  walk.keepTurns();
  return walk.outcomes;
}

class HostWalk {
  readonly #context: TransportContext;
  readonly #batch: Batch;
  readonly #signal: AbortSignal;
  readonly #recipients: Unsettled;
  readonly #hints: TargetHints;
  readonly #obstacle = new Obstacle();
  readonly #pause = Math.ceil(BUSY_PAUSE * (1 + 2 * Math.random()));
  #hasTurn = false;

  constructor(context: TransportContext, batch: Batch, signal: AbortSignal) {
    this.#context = context;
    this.#batch = batch;
    this.#signal = signal;
    this.#recipients = new Unsettled(batch.recipients);
    this.#hints = new TargetHints(context, batch);
  }

  get outcomes(): ReadonlyMap<RecipientId, Outcome> {
    return this.#recipients.outcomes;
  }

  async run(): Promise<void> {
    const recipients = this.#recipients;
    const { hints } = this.#context.services;
    if (!hints.isEmpty && !this.#batch.force)
      recipients.settle(leftInPeace(hints, recipients.left));
    if (recipients.isEmpty) return;
    for await (const target of candidatesOf(this.#context, this.#batch)) {
      if (target === undefined) return this.#comeLater();
      if ("status" in target) this.#bar(target);
      else if (!(await this.#goesOnAfter(target))) return;
    }
    this.#end();
  }

  /** Recipients that are to have the message in the ordinary way instead have had a turn already. */
  keepTurns(): void {
    if (!this.#hasTurn) return;
    const again = this.#batch.recipients.filter(({ id }) => {
      const outcome = this.outcomes.get(id);
      return outcome !== undefined && "notPassed" in outcome;
    });
    if (again.length > 0) this.#context.rateLimits.keep(this.#batch, again);
  }

  /** Too many look-ups take long. */
  #comeLater(): void {
    const later = this.#context.room.later();
    this.#recipients.putOffRest(untriedOutcome(LOOKED_UP, "message", later));
  }

  #bar(barred: Barred): void {
    countBarred(this.#context.services.tlsSessions, barred);
    this.#obstacle.bar(barred.status, barred.error);
  }

  /** No further host is tried, for the last obstacle or for `status`. */
  #end(status?: Status): void {
    const outcome = this.#obstacle.outcome(status);
    if (outcome.kind === "deferred") this.#recipients.putOffRest(outcome);
    else this.#recipients.settleRest(outcome);
  }

  /** Takes the recipients that are left to this target. False when there is nothing more to do. */
  async #goesOnAfter(target: Target): Promise<boolean> {
    if (this.#signal.aborted) this.#end(GIVEN_UP);
    else if (this.#obstacle.tried >= this.#context.options.hosts_max_try) this.#end();
    else if (!this.#isBlocked(target)) await this.#deliverTo(target);
    return !this.#recipients.isEmpty;
  }

  async #deliverTo(target: Target): Promise<void> {
    const { pool } = this.#context;
    const passing = this.#batch.body.unread !== undefined;
    const isOwn = target.domain === undefined;
    if (!this.#findsRoom(target, passing, isOwn)) return;
    this.#takeTurns();
    if (this.#recipients.isEmpty) return;
    using lease = await pool.lease(target, this.#signal, { passing, isOwn });
    if (lease === undefined) {
      const now = this.#context.services.clock.now();
      return this.#recipients.putOffRest(untriedOutcome(busyStatus(target.label), "message", now));
    }
    if (!this.#isFoundOut(lease, target)) await this.#visit(target, lease).run();
  }

  #visit(target: Target, lease: Lease): Visit {
    return new Visit({
      target,
      lease,
      context: this.#context,
      batch: this.#batch,
      signal: this.#signal,
      recipients: this.#recipients,
      hints: this.#hints,
      obstacle: this.#obstacle,
      pause: this.#pause,
    });
  }

  /** The host's retry time has not come: it is passed over. */
  #isBlocked(target: Target): boolean {
    const hint = this.#hints.blocked(target);
    if (hint === undefined) return false;
    this.#passOver(target, waitStatus(target.label, hint.status), hint.nextTry);
    return true;
  }

  /** Whether one more delivery may join the line at the host. */
  #findsRoom(target: Target, passing: boolean, isOwn: boolean): boolean {
    const { pool, services } = this.#context;
    const inDoubt = this.#hints.isInDoubt(target);
    const room = pool.room(target, inDoubt, isOwn);
    if (passing && (inDoubt || room !== "free" || !pool.hasSpare(target))) {
      this.#recipients.settleRest(NOT_SPARED);
      return false;
    }
    if (room === "free") return true;
    this.#passOver(target, busyStatus(target.label), services.clock.now() + this.#pause);
    // A host that works is worth waiting for.
    if (room === "busy") this.#end(this.#obstacle.status);
    return false;
  }

  /** Takes a turn for every recipient, once; a recipient that has to wait for its turn leaves. */
  #takeTurns(): void {
    if (this.#hasTurn) return;
    this.#hasTurn = true;
    const waiting = waitingForTurns(this.#context.rateLimits, this.#batch, this.#recipients.left);
    this.#recipients.settle(waiting);
  }

  /** A delivery before it in the line knows that the host cannot be used. That is as good as an attempt of its own. */
  #isFoundOut(lease: Lease, target: Target): boolean {
    if (!this.#batch.force) return this.#isBlocked(target);
    const hint = this.#hints.foundOut(target);
    if (hint === undefined || !lease.failedMeanwhile) return false;
    this.#passOver(target, hint.status, hint.nextTry);
    this.#obstacle.tried++;
    return true;
  }

  #passOver(target: Target, status: Status, notBefore: number): void {
    this.#obstacle.passOver(target.place, status, this.#hints.waitFor(target, notBefore));
  }
}
