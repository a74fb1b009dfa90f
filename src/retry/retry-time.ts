// When a deferred delivery is tried again. Whoever waits for a host or an account has its clock, in its hint;
// everything else has its own, by the row for that very reply if there is one, else by the retry rules.

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
import type { Finding } from "./finding.ts";
import { type Attempted, dueTimes } from "./due.ts";

/** The row of the reply table for what the host said, and was not only remembered to have said. */
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

/** Exim's name for what went wrong: "rcpt_452" for a reply to RCPT, "data_451" for one about the message. */
function errorOf(outcome: Outcome): string | undefined {
  if (outcome.kind !== "deferred") return undefined;
  if (outcome.error !== undefined) return outcome.error;
  if (outcome.place === undefined || outcome.scope === "host") return undefined;
  return `${outcome.scope === "recipient" ? "rcpt" : "data"}_${outcome.status.code}`;
}

const last = (): number => 1;

export interface Failures {
  /** By the wall clock. */
  readonly firstFailure: number;
  /** An attempt failed before this one, or the host that it waited for had. */
  readonly failedBefore: boolean;
}

/**
 * As `retryTime`, by what is known of time that has really passed. No delivery ends because a clock was wrong: it
 * must have failed before, and this process must have seen the last interval of its rules pass. Whole milliseconds,
 * whatever a transport says: the spool stores no parts of one.
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

/** Is an age beyond doubt, although this process knows it from an earlier one? */
export function hasSeenLastInterval(
  rules: readonly RetryRule[],
  { elapsed }: { readonly elapsed: Elapsed },
): boolean {
  return elapsed.watched >= lastInterval(rules);
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
  const { random } = policy;
  const rules = rulesFor(finding, policy);
  const until = retryUntil(rules, firstFailureAt);
  if (outcome.untried === true) {
    const { notBefore = now, waitsFor } = outcome;
    // Who merely waits for a host does not come in the moment in which somebody finds out about it.
    const at = waitsFor === undefined ? notBefore : spread(notBefore, now, random);
    // Whose trouble has rules of its own, that end sooner, does not wait beyond that end.
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
  // Behind all who wait: another than the one that failed last finds out the next time.
  return Math.min(waitsFor === undefined ? notBefore : spread(notBefore, now, last), latest);
}

/** By what is known of time that has really passed. */
export type TimePolicy = Pick<RetryPolicy, "retry"> & { readonly elapsed: Elapsed };

/**
 * Hints are to be ignored: the postmaster has said so, or the rules of what is due end with this
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
