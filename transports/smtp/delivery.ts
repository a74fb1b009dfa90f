// The delivery of one batch: from host to host in order, until every recipient has an answer. If a host cannot be
// reached, the next one is tried. If a host answers about a recipient or the message, its answer counts.
//
// Invariants:
// - A recipient with an outcome is never sent again. Only recipients that are left go to the next host.
// - A recipient that was taken to no host is "untried", and has a time for its next attempt.

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
 * Shortest pause in ms of a message that found the line of its host full. The longest is three times that. If the host
 * takes mail, the message is woken earlier.
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

  /** Keeps the turns of recipients that get the complete message later, because cut-through failed. */
  keepTurns(): void {
    if (!this.#hasTurn) return;
    const again = this.#batch.recipients.filter(({ id }) => {
      const outcome = this.outcomes.get(id);
      return outcome !== undefined && "notPassed" in outcome;
    });
    if (again.length > 0) this.#context.rateLimits.keep(this.#batch, again);
  }

  /** Puts the rest off, because too many look-ups take long. */
  #comeLater(): void {
    const later = this.#context.room.later();
    this.#recipients.putOffRest(untriedOutcome(LOOKED_UP, "message", later));
  }

  #bar(barred: Barred): void {
    countBarred(this.#context.services.tlsSessions, barred);
    this.#obstacle.bar(barred.status, barred.error);
  }

  /** Settles the rest: no further host is tried, for the last obstacle or for `status`. */
  #end(status?: Status): void {
    const outcome = this.#obstacle.outcome(status);
    if (outcome.kind === "deferred") this.#recipients.putOffRest(outcome);
    else this.#recipients.settleRest(outcome);
  }

  /** Takes the recipients that are left to this target. Returns false if no recipient is left. */
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

  /** Whether the host's retry time has not come. If so, it is passed over. */
  #isBlocked(target: Target): boolean {
    const hint = this.#hints.blocked(target);
    if (hint === undefined) return false;
    this.#passOver(target, waitStatus(target.label, hint.status), hint.nextTry);
    return true;
  }

  /** Whether one more delivery may join the line of the host. If not, the batch is put off or the host passed over. */
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
    // The host works, so the batch waits for it instead of trying the next one.
    if (room === "busy") this.#end(this.#obstacle.status);
    return false;
  }

  /** Takes a turn for every recipient, once. A recipient that has to wait for its turn is put off. */
  #takeTurns(): void {
    if (this.#hasTurn) return;
    this.#hasTurn = true;
    const waiting = waitingForTurns(this.#context.rateLimits, this.#batch, this.#recipients.left);
    this.#recipients.settle(waiting);
  }

  /** Whether a delivery ahead in the line has found that the host fails. With `force` that counts as an attempt. */
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
