// When a deferred delivery is tried again: Exim's retry rules, as arithmetic on times.
// Invariant: the only state is the time of the first failure. A rule text gives the same schedule each time, so a
// restart or a lost hint does not change it. A full interval always lies between two attempts, however long the first of
// them took.
//
// Doors: reply-rules.ts, retry-options.ts, retry-time.ts.

import { parseDuration } from "../options/options.ts";
import { LONGEST_INTERVAL, LONGEST_SPREAD } from "../spool/longest-wait.ts";

export interface RetryRule {
  /** F fixed, G geometric, H geometric with a random part. */
  readonly kind: "F" | "G" | "H";
  /** Milliseconds from the first failure until the next rule takes over. The last rule's cut-off ends the retries. */
  readonly cutoff: number;
  /** Milliseconds; for G and H the first interval. */
  readonly interval: number;
  /** The ratio of an interval to the interval before it; 1 for F. */
  readonly factor: number;
}

export interface RetryTimes {
  /** Milliseconds since the epoch, as is `now`. */
  readonly firstFailureAt: number;
  /** The end of the attempt that failed. */
  readonly now: number;
  /** 0 to 1, for H; Math.random unless a test says otherwise. */
  readonly random?: () => number;
}

export type NextAttempt =
  | { readonly kind: "retry"; readonly at: number }
  | { readonly kind: "final" };

export interface RetryConfig {
  /** "*", "example.com", "*.example.com" or "user@example.com". */
  readonly match: string;
  /** Errors that the rules are for: "timeout", "rcpt_4xx"; absent: all. */
  readonly errors?: readonly string[] | undefined;
  readonly rules: readonly RetryRule[];
}

export interface RetrySubject {
  readonly domain: string;
  /** The recipient; absent if only the host failed. */
  readonly address?: string;
  /** The host that deferred it, if a host did. */
  readonly host?: string;
  /** The error: a RetryError, or "rcpt_452", "data_451". */
  readonly error?: string;
}

export const DEFAULT_RETRY = "F,2h,15m; G,16h,1h,1.5; F,8d,6h";

const LONGEST_CUTOFF = 364 * 24 * 3_600_000;

/** Reads "F,2h,15m; G,16h,1h,1.5". An empty text gives an empty list: such a delivery is tried once. */
export function parseRetryRules(
  text: string,
): { readonly rules: readonly RetryRule[] } | { readonly problem: string } {
  const rules: RetryRule[] = [];
  for (const piece of text.split(";").map((part) => part.trim())) {
    if (piece === "") continue;
    const rule = parseRule(piece);
    if (typeof rule === "string") return { problem: `${JSON.stringify(piece)}: ${rule}` };
    const previous = rules.at(-1);
    if (previous !== undefined && rule.cutoff <= previous.cutoff) {
      return { problem: `${JSON.stringify(piece)}: ends no later than the rule before it` };
    }
    rules.push(rule);
  }
  return { rules };
}

/** The rule, or what is wrong with it. */
function parseRule(piece: string): RetryRule | string {
  const [kind, cutoffText = "", intervalText = "", factorText, ...rest] = piece
    .split(",")
    .map((part) => part.trim());
  if (kind !== "F" && kind !== "G" && kind !== "H") return "must begin with F, G or H";
  const cutoff = parseDuration(cutoffText);
  const interval = parseDuration(intervalText);
  if (cutoff === undefined || interval === undefined || rest.length > 0) {
    return kind === "F" ? 'must read like "F,2h,15m"' : `must read like "${kind},16h,1h,1.5"`;
  }
  if (cutoff === 0 || interval === 0) return "times must be longer than nothing";
  if (cutoff > LONGEST_CUTOFF) return "must end within 52w";
  if (kind === "F") {
    return factorText === undefined
      ? { kind, cutoff, interval, factor: 1 }
      : "a fixed rule has no factor";
  }
  if (factorText === undefined || !/^\d{1,3}(?:\.\d{1,3})?$/.test(factorText)) {
    return 'needs a factor like "1.5"';
  }
  const factor = Number(factorText);
  return factor < 1 ? "the factor must be 1 or more" : { kind, cutoff, interval, factor };
}

/** Reads rules that are written in the source. Throws if they are invalid. */
export function knownRules(text: string): readonly RetryRule[] {
  const parsed = parseRetryRules(text);
  if ("problem" in parsed) throw new Error(parsed.problem);
  return parsed.rules;
}

const defaultRules = knownRules(DEFAULT_RETRY);

/**
 * The rules for one delivery: the first entry that matches the host, the domain or the address decides.
 * If no entry matches, the default rules apply, so that a gap in the configuration delays mail and does not bounce it.
 */
export function matchRetryRule(
  configs: readonly RetryConfig[],
  subject: RetrySubject,
): readonly RetryRule[] {
  const found = entriesFor(configs, subject).find(
    ({ errors }) =>
      errors === undefined || errors.some((pattern) => isError(pattern, subject.error)),
  );
  return found?.rules ?? defaultRules;
}

/** The possible times of the last attempt, whatever its error will be: one for each entry that may decide then. */
export function possibleEnds(
  configs: readonly RetryConfig[],
  subject: RetrySubject,
  firstFailureAt: number,
): readonly number[] {
  const entries = entriesFor(configs, subject);
  const general = entries.findIndex(({ errors }) => errors === undefined);
  const deciding =
    general === -1 ? [...entries, { rules: defaultRules }] : entries.slice(0, general + 1);
  return deciding.map(({ rules }) => retryUntil(rules, firstFailureAt));
}

function entriesFor(
  configs: readonly RetryConfig[],
  subject: RetrySubject,
): readonly RetryConfig[] {
  const names = [subject.host, subject.domain, subject.address]
    .filter((name) => name !== undefined)
    .map((name) => name.toLowerCase());
  return configs.filter(({ match }) => matches(match.toLowerCase(), names));
}

/** Whether the error matches: an x in "rcpt_4xx" matches every digit. */
function isError(pattern: string, error: string | undefined): boolean {
  if (error === undefined || error.length !== pattern.length) return false;
  for (let i = 0; i < pattern.length; i++) {
    const wild = pattern[i] === "x" && /^\d$/.test(error[i] ?? "");
    if (!wild && pattern[i] !== error[i]) return false;
  }
  return true;
}

/** `at` with a small random delay, so that deliveries that failed together do not come back together. */
export function spread(at: number, now: number, random: () => number = Math.random): number {
  return at + Math.round(Math.min((at - now) / 20, LONGEST_SPREAD) * random());
}

function matches(pattern: string, names: readonly string[]): boolean {
  if (pattern === "*") return true;
  if (!pattern.startsWith("*.")) return names.includes(pattern);
  return names.some((name) => !name.includes("@") && name.endsWith(pattern.slice(1)));
}

/** The latest time of the last attempt, in milliseconds since the epoch. */
export function retryUntil(rules: readonly RetryRule[], firstFailureAt: number): number {
  return firstFailureAt + (rules.at(-1)?.cutoff ?? 0);
}

/**
 * When to try again after an attempt that failed. The first rule whose cut-off has not passed is in force. At the last
 * cut-off there is one more attempt, due or not; if that fails, the result is "final".
 */
export function nextAttempt(rules: readonly RetryRule[], times: RetryTimes): NextAttempt {
  const { firstFailureAt, now, random = Math.random } = times;
  // A clock that was set back must not look like a negative age.
  const age = Math.max(0, now - firstFailureAt);
  const end = rules.at(-1)?.cutoff ?? 0;
  if (age >= end) return { kind: "final" };
  const gap = intervalAt(rules, age, random);
  return { kind: "retry", at: now + Math.min(gap, end - age) };
}

/** The interval before the last attempt, in ms; 0 if the rules allow only one attempt. */
export function lastInterval(rules: readonly RetryRule[]): number {
  const end = rules.at(-1)?.cutoff ?? 0;
  return intervalAt(rules, end - 1, () => 1);
}

/** The interval that the schedule has at this age. As in Exim, G goes on from the interval before it. */
function intervalAt(rules: readonly RetryRule[], age: number, random: () => number): number {
  let offset = 0;
  let gap = 0;
  for (const rule of rules) {
    // Whole milliseconds: the first offset after this age, or the one that reaches the cut-off.
    const until = Math.min(rule.cutoff, age + 1);
    if (rule.factor === 1) {
      // Equal intervals are computed by a division; growing ones reach the longest interval in a few thousand steps.
      gap = Math.min(rule.interval, LONGEST_INTERVAL);
      offset += Math.max(0, Math.ceil((until - offset) / gap)) * gap;
    }
    while (offset < until) {
      gap = gap < rule.interval ? rule.interval : Math.round(gap * rule.factor);
      gap = Math.min(gap, LONGEST_INTERVAL);
      offset += gap;
    }
    if (age < rule.cutoff) return rule.kind === "H" ? scatter(rule, gap, random) : gap;
  }
  return 0;
}

/** Exim's H: a random interval, at least the mean of the first interval and G's, at most G's. */
function scatter(rule: RetryRule, gap: number, random: () => number): number {
  const room = Math.max(0, gap - rule.interval);
  return rule.interval + Math.round((room / 2) * (1 + random()));
}
