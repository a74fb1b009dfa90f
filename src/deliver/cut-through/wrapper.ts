// A transport with one batch that is on its way already. For that batch it ends the message for the next host and
// returns the outcomes. All other batches go to the transport itself.
//
// Invariants:
// - A recipient with an outcome keeps it, whatever happens to the rest.
// - Recipients that the host has certainly not accepted are delivered in the normal way, in the same attempt.

import { given } from "../../base/given.ts";
import type { Clock } from "../../base/clock.ts";
import type { Batch, Outcome, Transport } from "../../contract/contract.ts";
import { heeding, LAST_WORDS } from "../heeding.ts";
import type { RecipientId } from "../../mail/envelope.ts";
import { describeError, type Log } from "../../observe/log.ts";

export type Outcomes = ReadonlyMap<RecipientId, Outcome>;

/**
 * Ends the message for the next host. Undefined if nothing was begun for exactly this batch: it must be delivered in
 * the normal way.
 */
export type FinishBatch = (batch: Batch, signal: AbortSignal) => Promise<Outcomes> | undefined;

/** Milliseconds by which known outcomes are returned before the attempt gives up on the transport. */
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

/** Whether the host did not accept the recipient while the message came in: now the message is whole. */
function isStillToGo(outcome: Outcome | undefined): boolean {
  return outcome?.kind === "deferred" && outcome.notPassed === true;
}
