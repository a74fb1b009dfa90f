// Groups the routed deliveries of one message into batches and hands each to its transport.
//
// Invariants:
// - Local copies come first, but delay the mail by at most ten seconds. Remote batches start when the copies are
//   done, with any outcome, or after ten seconds. From then on both go on side by side.
// - If a transport throws, runs into the deadline, leaves a recipient out or returns an invalid outcome, the delivery
//   is deferred.
// - Every delivery gets exactly one outcome.
//
// Doors: batches.ts, heeding.ts.

import { inspect } from "node:util";
import type { Draft } from "../base/given.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { Batch, Outcome } from "../contract/contract.ts";
import type { Body, Envelope } from "../mail/envelope.ts";
import { describeError } from "../observe/log.ts";
import type { LoopShare } from "../base/loop-share.ts";
import {
  type BatchServices,
  type Delivery,
  type Group,
  groupByBatch,
  isMail,
  LEFT_OUT,
  type OnOutcome,
} from "./batches.ts";
import { checkedOutcome } from "./checked-outcome.ts";
import { heeding } from "./heeding.ts";

export interface DeliverServices extends BatchServices {
  readonly clock: Clock;
  /** Aborts at the deadline of the attempt. */
  readonly signal: AbortSignal;
  /** The share of the event loop: a message may have a thousand batches. */
  readonly share?: LoopShare;
}

/** As in {@link Batch}. */
export type Manner = Pick<Batch, "fresh" | "force" | "interrupted">;

/** Milliseconds that the mail waits for its copies. */
const COPIES_FIRST = 10_000;
/** Milliseconds after which copies are cut off. */
const COPIES_DEADLINE = 60_000;

interface Message {
  readonly envelope: Envelope;
  readonly body: Body;
}

/** Calls `onOutcome` once for each delivery, as soon as it is known. Never throws. */
export async function deliver(
  message: Message,
  deliveries: readonly Delivery[],
  manner: Manner,
  services: DeliverServices,
  onOutcome: OnOutcome,
): Promise<void> {
  const groups = groupByBatch(deliveries, services, onOutcome);
  const [local, others] = parted(groups, ({ transport }) => transport.locality === "local");
  const what = { ...message, ...manner };
  const run = async (batches: readonly Group[], signal: AbortSignal) => {
    const begun: Promise<void>[] = [];
    for (const group of batches) {
      const turn = services.share?.turn(NAME_COST * namesIn(group));
      if (turn !== undefined) await turn;
      begun.push(deliverGroup(what, group, signal, services, onOutcome));
    }
    await (begun.length === 1 ? begun[0] : Promise.all(begun));
  };
  if (local.length === 0) {
    await run(others, services.signal);
    return;
  }
  using deadline = new Deadline(services);
  const [unhurried, hurried] = parted(local, hasAllItsTime);
  const copies =
    unhurried.length === 0
      ? run(hurried, deadline.signal)
      : Promise.all([run(unhurried, services.signal), run(hurried, deadline.signal)]);
  if (others.length > 0) {
    await Promise.race([copies, deadline.mayGo]);
    await run(others, services.signal);
  }
  await copies;
}

function parted<T>(all: readonly T[], isFirst: (one: T) => boolean): [T[], T[]] {
  const first: T[] = [];
  const rest: T[] = [];
  for (const one of all) (isFirst(one) ? first : rest).push(one);
  return [first, rest];
}

/** The cost of writing an envelope recipient, in the share of a turn. */
const NAME_COST = 100;

function namesIn({ members }: Group): number {
  let names = 1;
  for (const { recipient } of members.values()) names += 1 + (recipient.alsoFor?.length ?? 0);
  return names;
}

/**
 * Whether the batch is exempt from the deadline of copies: a local server may have the copy already, and would get it
 * twice; mail is exempt too.
 */
function hasAllItsTime(group: Group): boolean {
  return group.transport.ownDeadlines === true || isMail(group);
}

/** The deadline of copies. Its signal aborts with the attempt's signal, and when the copies have taken too long. */
class Deadline {
  /** Resolves when the mail need not wait for its copies any longer. */
  readonly mayGo: Promise<void>;
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #go: () => void;
  #timer: Timer;

  constructor({ clock, signal: outer }: DeliverServices) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.mayGo = promise;
    this.#go = resolve;
    this.#outer = outer;
    this.#timer = clock.after(COPIES_FIRST, () => {
      resolve();
      this.#timer = clock.after(COPIES_DEADLINE - COPIES_FIRST, () =>
        this.#controller.abort(new Error("the copy took too long")),
      );
    });
    if (outer.aborted) this.#onOuter();
    else outer.addEventListener("abort", this.#onOuter);
  }

  readonly #onOuter = (): void => {
    this.#go();
    this.#controller.abort(this.#outer.reason);
  };

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    this.#timer.cancel();
    this.#outer.removeEventListener("abort", this.#onOuter);
  }
}

async function deliverGroup(
  { envelope, body, fresh, force, interrupted }: Message & Manner,
  group: Group,
  signal: AbortSignal,
  { log, clock }: DeliverServices,
  onOutcome: OnOutcome,
): Promise<void> {
  const { transport, first, members } = group;
  const recipients = Array.from(members.values(), ({ recipient }) => recipient);
  const batch: Draft<Batch> = { envelope, body, recipients, fresh, force };
  if (first.hosts !== undefined) batch.hosts = first.hosts;
  if (interrupted !== undefined) batch.interrupted = interrupted;
  const failed = (error: unknown) => {
    const where = `transport ${first.transport}`;
    log.event("relay.error", { id: envelope.id, where, error: describeError(error) });
  };
  const known = new Map<string, Outcome>();
  try {
    const outcomes = await heeding(signal, clock, transport.deliver(batch, signal));
    for (const { id } of recipients) {
      const answer = outcomes.get(id);
      if (answer === undefined) continue;
      const outcome = checkedOutcome(answer);
      if (outcome !== undefined) known.set(id, outcome);
      if (outcome !== answer)
        failed(
          `${outcome === undefined ? "no outcome" : "unusable in part"}: ${inspect(answer, { breakLength: Infinity })}`,
        );
    }
  } catch (error) {
    failed(error);
  }
  for (const { recipient, deliveries } of members.values()) {
    const outcome = known.get(recipient.id) ?? LEFT_OUT;
    for (const delivery of deliveries) onOutcome(delivery, outcome);
  }
}
