// The effect of an answer to a recipient on other mail for the same recipient.

import type { Hints, HostFailure, Outcome, Recipient } from "../../src/contract/contract.ts";
import type { Status } from "../../src/mail/status.ts";
import { addressKey } from "./rate-limits.ts";

/**
 * Returns the outcome. If the reply puts off all mail for the recipient, the outcome has the time of the recipient's
 * hint. A final outcome ends the hint. `failureOf` describes the failure at the host that answered.
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
