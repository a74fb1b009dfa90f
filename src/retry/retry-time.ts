// When a deferred delivery is tried again. A delivery that waits for a host or an account uses the clock in its hint.
// Any other delivery has a clock of its own, by the row for its reply if one matches, else by the retry rules.

import { given } from "../base/given.ts";
import type { Elapsed } from "../base/clock-steps.ts";
import type { Outcome } from "../contract/contract.ts";
import { findReplyRule, type ReplyRule, type RetryPolicy, rulesAfter } from "./reply-rules.ts";
import {
  lastInterval,
  matchRetryRule,
  nextAttempt,
  possibleEnds,
  type RetryRule,
  type RetrySubject,
  retryUntil,
  spread,
} from "./retry.ts";
import type { Mailbox } from "../mail/envelope.ts";
import { speakerOf } from "../mail/place.ts";
import { LONGEST_WAIT } from "../spool/longest-wait.ts";
import type { Finding } from "./clocks/finding.ts";
import { type Attempted, dueTimes } from "./clocks/due.ts";

/** The row of the reply table for the host's reply in this attempt; a reply that a hint remembers does not count. */
export function replyRule({ outcome }: Finding, { replies }: RetryPolicy): ReplyRule | undefined {
  const host = speakerOf(outcome.place);
  if (host === undefined || "untried" in outcome) return undefined;
  return findReplyRule(replies, host, outcome.status);
}

export function rulesFor({ outcome, mailbox }: Finding, policy: RetryPolicy): readonly RetryRule[] {
  const error = errorOf(outcome);
  const subject = subjectOf(mailbox, speakerOf(outcome.place));
  return rulesAfter(outcome.status, error === undefined ? subject : { ...subject, error }, policy);
}

function subjectOf({ localPart, domain }: Mailbox, host: string | undefined): RetrySubject {
  const address = `${localPart}@${domain}`;
  return host === undefined ? { domain, address } : { domain, address, host };
}

/** Exim's name of the error: "rcpt_452" for a reply to RCPT, "data_451" for a reply about the message. */
function errorOf(outcome: Outcome): string | undefined {
  if (outcome.kind !== "deferred") return undefined;
  if (outcome.error !== undefined) return outcome.error;
  if (outcome.place === undefined || outcome.scope === "host") return undefined;
  return `${outcome.scope === "recipient" ? "rcpt" : "data"}_${outcome.status.code}`;
}

const last = (): number => 1;

export interface Failures {
  /** The time of the first failure, by the wall clock. */
  readonly firstFailure: number;
  /** Whether an earlier attempt failed, or the host that the delivery waited for. */
  readonly failedBefore: boolean;
}

/**
 * As `retryTime`, by the time that has really passed. No delivery ends because a clock was wrong: it must have failed
 * before, and this process must have run for the last interval of its rules. The result is rounded up to whole
 * milliseconds, because the spool stores only those.
 */
export function nextTime(
  finding: Finding,
  failures: Failures,
  now: number,
  policy: RetryPolicy & { readonly elapsed: Elapsed },
): number | undefined {
  const at = unroundedTime(finding, failures, now, policy);
  return at === undefined ? undefined : Math.ceil(at);
}

function unroundedTime(
  finding: Finding,
  failures: Failures,
  now: number,
  policy: RetryPolicy & { readonly elapsed: Elapsed },
): number | undefined {
  const age = policy.elapsed.since(failures.firstFailure, now);
  const again = retryTime(finding, now - age, now, policy);
  const { notFinalBefore = now } = finding.outcome.kind === "deferred" ? finding.outcome : {};
  if (notFinalBefore > now) return Math.min(again ?? notFinalBefore, notFinalBefore);
  if (again !== undefined || finding.outcome.kind !== "deferred") return again;
  const rules = rulesFor(finding, policy);
  const isBeyondDoubt = failures.failedBefore && hasSeenLastInterval(rules, policy);
  return rules.length === 0 || isBeyondDoubt ? undefined : now + lastInterval(rules);
}

/** Whether this process has run for the last interval of the rules: then an age from an earlier process counts. */
export function hasSeenLastInterval(
  rules: readonly RetryRule[],
  { elapsed }: { readonly elapsed: Elapsed },
): boolean {
  return elapsed.watched >= lastInterval(rules);
}

/** The next time in ms since the epoch; undefined if the rules have ended. A delivery that was not tried always has one. */
export function retryTime(
  finding: Finding,
  firstFailureAt: number,
  now: number,
  policy: RetryPolicy,
): number | undefined {
  const { outcome } = finding;
  if (outcome.kind !== "deferred") return undefined;
  const { random } = policy;
  const rules = rulesFor(finding, policy);
  const until = retryUntil(rules, firstFailureAt);
  if (outcome.untried === true) {
    const { notBefore = now, waitsFor } = outcome;
    // Messages that wait for a host are spread a little after its retry time, so that one message tests the host first.
    const at = waitsFor === undefined ? notBefore : spread(notBefore, now, random);
    // A delivery never waits beyond the end of its own rules, which may end sooner than the host's.
    const subject = subjectOf(finding.mailbox, speakerOf(outcome.place));
    const ends = [until, ...possibleEnds(policy.retry, subject, firstFailureAt)];
    return Math.min(at, now + LONGEST_WAIT, ...ends.filter((end) => end > now));
  }
  const times = { firstFailureAt, now, ...given({ random }) };
  const next = nextAttempt(rules, times);
  if (next.kind === "final") return undefined;
  const latest = Math.min(until, now + LONGEST_WAIT);
  const { notBefore, waitsFor } = outcome;
  if (notBefore === undefined) return Math.min(spread(next.at, now, random), latest);
  // The message that failed comes after all that wait, so that another message tests the host the next time.
  return Math.min(waitsFor === undefined ? notBefore : spread(notBefore, now, last), latest);
}

/** Retry rules, with the time that has really passed. */
export type TimePolicy = Pick<RetryPolicy, "retry"> & { readonly elapsed: Elapsed };

/**
 * Whether the attempt ignores hints: the postmaster has ordered it, or the rules of a delivery that is due end with this
 * attempt. An attempt that is due at the very end of some rules is their last.
 */
export function isForced(
  recipient: Attempted,
  now: number,
  { retry, elapsed }: TimePolicy,
): boolean {
  if (recipient.forced === true) return true;
  return dueTimes(recipient).some(({ nextAttempt: due, firstFailure: failedAt, waitsFor }) => {
    if (failedAt === undefined) return false;
    const firstFailure = now - elapsed.since(failedAt, now);
    const subject = subjectOf(recipient.mailbox, waitsFor?.host);
    if (now >= retryUntil(matchRetryRule(retry, subject), firstFailure)) return true;
    return possibleEnds(retry, subject, firstFailure).includes(due);
  });
}
