// When a deferred delivery is tried again. A host error has the host's clock, in its hint; everything else has the
// recipient's, by the row for that very reply if there is one, else by the retry rules.

import type { StoredRecipient } from "../spool.ts";
import { findReplyRule, type ReplyRule } from "../reply-rules.ts";
import {
  matchRetryRule,
  nextAttempt,
  type RetryConfig,
  type RetryRule,
  retryUntil,
  spread,
} from "../retry.ts";
import type { Finding } from "../settle.ts";

export interface RetryPolicy {
  readonly retry: readonly RetryConfig[];
  readonly replies: readonly ReplyRule[];
  readonly random?: () => number;
}

/** The name of the host that spoke: "mx.example.net [192.0.2.1]" without its address. */
function hostOf({ outcome }: Finding): string | undefined {
  return outcome.remoteMta?.split(" ", 1)[0];
}

/** The row of the reply table for what the host said. */
export function replyRule(finding: Finding, { replies }: RetryPolicy): ReplyRule | undefined {
  const host = hostOf(finding);
  return host === undefined ? undefined : findReplyRule(replies, host, finding.outcome.status);
}

export function rulesFor(finding: Finding, policy: RetryPolicy): readonly RetryRule[] {
  const special = replyRule(finding, policy)?.rules;
  if (special !== undefined) return special;
  const { mailbox } = finding;
  const host = hostOf(finding);
  const error = errorOf(finding);
  return matchRetryRule(policy.retry, {
    domain: mailbox.domain,
    address: `${mailbox.localPart}@${mailbox.domain}`,
    ...(host === undefined ? {} : { host }),
    ...(error === undefined ? {} : { error }),
  });
}

/** Exim's name for what went wrong: "rcpt_452" for a reply to RCPT, "data_451" for one about the message. */
function errorOf({ outcome }: Finding): string | undefined {
  if (outcome.kind !== "deferred") return undefined;
  if (outcome.error !== undefined) return outcome.error;
  if (outcome.remoteMta === undefined || outcome.scope === "host") return undefined;
  return `${outcome.scope === "recipient" ? "rcpt" : "data"}_${outcome.status.code}`;
}

/** In ms since the epoch; undefined when the rules have ended. What was not tried cannot be the last attempt. */
export function retryTime(
  finding: Finding,
  firstFailureAt: number,
  now: number,
  policy: RetryPolicy,
): number | undefined {
  const { outcome } = finding;
  if (outcome.kind !== "deferred") return undefined;
  if (outcome.untried === true) return outcome.notBefore ?? now;
  const { random } = policy;
  const times = { firstFailureAt, now, ...(random === undefined ? {} : { random }) };
  const rules = rulesFor(finding, policy);
  const next = nextAttempt(rules, times);
  if (next.kind === "final") return undefined;
  if (outcome.notBefore === undefined) return spread(next.at, now, random);
  // The host's clock, but not beyond the end of the recipient's own.
  return Math.min(outcome.notBefore, retryUntil(rules, firstFailureAt));
}

/**
 * Hints and pace are to be ignored: the postmaster has said so (a next attempt at 0), or the recipient's rules end
 * with this attempt.
 */
export function isForced(recipient: StoredRecipient, now: number, { retry }: RetryPolicy): boolean {
  const { nextAttempt: due, firstFailure, mailbox } = recipient;
  if (due === 0) return true;
  if (firstFailure === undefined) return false;
  const address = `${mailbox.localPart}@${mailbox.domain}`;
  return (
    now >= retryUntil(matchRetryRule(retry, { domain: mailbox.domain, address }), firstFailure)
  );
}
