// Recipients whose mail is not to be tried now, whatever the host: the outcomes that say why and until when.

import type { Batch, Hints, Outcome, Recipient } from "../../src/contract/contract.ts";
import type { RecipientId } from "../../src/mail/envelope.ts";
import { pacedStatus, untriedOutcome, waitStatus } from "./reasons.ts";
import { addressKey, type RateLimits } from "./rate-limits.ts";

/** Those that a host has put off, with all their mail. */
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

/** Those whose rate is used up. The others have taken their turn. */
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
