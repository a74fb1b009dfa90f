// How TLS with one mail domain went on one day: sessions counted by the policy that they were under, failures by
// what went wrong, and with whom.
//
// Invariant: its size is bounded, whatever a domain publishes and however its hosts fail. What finds no place among
// the details is still in the sums.

import type { TlsFailure } from "./results.ts";

/** A policy as it stands in a report (RFC 8460 4.2). */
export interface ShownPolicy {
  readonly type: "tlsa" | "sts" | "no-policy-found";
  /** RFC 8460 1.1: for DANE, where its records stand; else the mail domain. */
  readonly domain: string;
  readonly lines: readonly string[];
  /** MTA-STS only. */
  readonly mx: readonly string[];
}

export interface SessionFailure extends TlsFailure {
  /** Our own address, the name of the host, and its address; absent where nobody was connected. */
  readonly from?: string;
  readonly host?: string;
  readonly to?: string;
}

export interface FailureCount {
  readonly failure: SessionFailure;
  count: number;
}

export interface PolicyCounts {
  readonly policy: ShownPolicy;
  successful: number;
  failed: number;
  readonly details: FailureCount[];
}

const POLICIES_MAX = 20;
const DETAILS_MAX = 100;
const LINES_MAX = 40;
const LONGEST_LINE = 1000;
const LONGEST_REASON = 200;

export class Tally {
  readonly #counts = new Map<string, PolicyCounts>();

  constructor(counted: readonly PolicyCounts[] = []) {
    for (const counts of counted) this.#counts.set(JSON.stringify(counts.policy), counts);
  }

  get counts(): readonly PolicyCounts[] {
    return [...this.#counts.values()];
  }

  add(given: ShownPolicy, failure: SessionFailure | undefined): void {
    const policy = { ...given, lines: bounded(given.lines), mx: bounded(given.mx) };
    const key = JSON.stringify(policy);
    let counts = this.#counts.get(key);
    if (counts === undefined) {
      if (this.#counts.size >= POLICIES_MAX) return;
      counts = { policy, successful: 0, failed: 0, details: [] };
      this.#counts.set(key, counts);
    }
    if (failure === undefined) counts.successful++;
    else {
      counts.failed++;
      addDetail(counts.details, failure);
    }
  }
}

function bounded(lines: readonly string[]): readonly string[] {
  return lines.slice(0, LINES_MAX).map((line) => line.slice(0, LONGEST_LINE));
}

function addDetail(details: FailureCount[], given: SessionFailure): void {
  const { reason, ...where } = given;
  const failure = reason === undefined ? where : { ...where, reason: plain(reason) };
  const known = details.find((one) => isSame(one.failure, failure));
  if (known !== undefined) known.count++;
  else if (details.length < DETAILS_MAX) details.push({ failure, count: 1 });
}

/** One line of text that somebody else may have written. */
function plain(reason: string): string {
  return reason.replaceAll(/[\p{C}\p{Z}]+/gu, " ").slice(0, LONGEST_REASON);
}

function isSame(one: SessionFailure, other: SessionFailure): boolean {
  return (["result", "reason", "from", "host", "to"] as const).every(
    (key) => one[key] === other[key],
  );
}
