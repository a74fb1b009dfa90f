// A transport of which one batch is on its way already: for that batch it ends the message for the next host and gives the
// outcomes; everything else it leaves to the transport.
//
// Invariants: what has an outcome keeps it, whatever becomes of the rest. What the host has certainly not taken is
// delivered in the ordinary way, in the same attempt.

import { given } from "../../base/given.ts";
import type { Clock } from "../../base/clock.ts";
import type { Batch, Outcome, Transport } from "../../contract/contract.ts";
import { heeding, LAST_WORDS } from "../heeding.ts";
import type { RecipientId } from "../../mail/envelope.ts";
import { describeError, type Log } from "../../observe/log.ts";

export type Outcomes = ReadonlyMap<RecipientId, Outcome>;

/**
 * Ends the message for the next host. Undefined when nothing was begun for just this batch: it is to be delivered in the
 * ordinary way.
 */
export type FinishBatch = (batch: Batch, signal: AbortSignal) => Promise<Outcomes> | undefined;

/** The outcomes that are known are given in time, before the attempt thinks that the transport hangs; in ms. */
const IN_TIME = 1000;

export function wrapped(
  inner: Transport,
  finish: FinishBatch,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Transport {
  const { locality, ownDeadlines, hosts } = inner;
  const rest = async (batch: Batch, outcomes: Outcomes, signal: AbortSignal): Promise<Outcomes> => {
    const recipients = batch.recipients.filter(({ id }) => isStillToGo(outcomes.get(id)));
    if (recipients.length === 0 || signal.aborted) return outcomes;
    try {
      const work = inner.deliver({ ...batch, recipients }, signal);
      return new Map([...outcomes, ...(await heeding(signal, clock, work, LAST_WORDS - IN_TIME))]);
    } catch (error) {
      const { id } = batch.envelope;
      log.event("relay.error", { id, where: "cut-through", error: describeError(error) });
      return outcomes;
    }
  };
  return {
    locality,
    ...given({ ownDeadlines, hosts }),
    batchKey: (recipient) => inner.batchKey(recipient),
    ...(inner.place && { place: (recipient) => inner.place?.(recipient) }),
    ...(inner.destination && { destination: (recipient) => inner.destination?.(recipient) }),
    async deliver(batch, signal) {
      const passed = finish(batch, signal);
      if (passed === undefined) return inner.deliver(batch, signal);
      return rest(batch, await passed, signal);
    },
  };
}

/** It was not passed on while it came in: now it is here. */
function isStillToGo(outcome: Outcome | undefined): boolean {
  return outcome?.kind === "deferred" && outcome.notPassed === true;
}
