// Recipients whose mail is not tried now, whatever the host: their outcomes, with the reason and the time to wait.

import type { Batch, Hints, Outcome, Recipient } from "../../src/contract/contract.ts";
import type { RecipientId } from "../../src/mail/envelope.ts";
import { pacedStatus, untriedOutcome, waitStatus } from "./reasons.ts";
import { addressKey, type RateLimits } from "./rate-limits.ts";

/** Returns the outcomes of recipients for which a host has put off all mail. */
export function leftInPeace(
  hints: Hints,
  recipients: readonly Recipient[],
): ReadonlyMap<RecipientId, Outcome> {
  const outcomes = new Map<RecipientId, Outcome>();
  for (const { id, mailbox } of recipients) {
    const key = addressKey(mailbox);
    const hint = hints.blocked(key);
    if (hint === undefined) continue;
    const why = waitStatus(key, hint.status);
    outcomes.set(id, { ...untriedOutcome(why, "recipient", hint.nextTry), waitsFor: { key } });
  }
  return outcomes;
}

/** Returns the outcomes of recipients whose rate is used up. The others have taken their turn. */
export function waitingForTurns(
  rateLimits: RateLimits,
  batch: Batch,
  recipients: readonly Recipient[],
): ReadonlyMap<RecipientId, Outcome> {
  const outcomes = new Map<RecipientId, Outcome>();
  for (const [id, { notBefore, rate }] of rateLimits.waiting(batch, recipients))
    outcomes.set(id, untriedOutcome(pacedStatus(rate), "recipient", notBefore));
  return outcomes;
}
