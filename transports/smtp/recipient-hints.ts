// What the answer to a recipient means for other mail for it.

import type { Hints, HostFailure, Outcome, Recipient } from "../../src/contract/contract.ts";
import type { Status } from "../../src/mail/status.ts";
import { addressKey } from "./rate-limits.ts";

/**
 * The outcome, with the time of the recipient's hint if the reply puts off all mail for the recipient. Mail that was
 * taken or refused for good ends the hint. `failureOf` says who answered.
 */
export function withRecipientHint(
  hints: Hints,
  { mailbox }: Recipient,
  outcome: Outcome,
  failureOf: (why: Status) => HostFailure,
): Outcome {
  const key = addressKey(mailbox);
  if (outcome.kind !== "deferred") hints.succeeded(key);
  if (outcome.kind !== "deferred" || outcome.scope !== "recipient") return outcome;
  const notBefore = hints.recipientFailed(key, failureOf(outcome.status));
  return notBefore === undefined ? outcome : { ...outcome, notBefore, waitsFor: { key } };
}
