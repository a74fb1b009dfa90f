// The results of TLS with one mail domain on one day: sessions by their policy, failures by their kind and host.
//
// Invariant: its size is bounded, in number and in octets, whatever a domain publishes and however its hosts fail. A
// failure without room among the details is still in the sums.

import type { SessionFailure, ShownPolicy } from "../../tls/sessions.ts";

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
/** Octets of a domain's day after which no further policy is counted. */
const OCTETS_MAX = 256 * 1024;
/** The memory of a failure without its texts, in octets. */
const DETAIL_OVERHEAD = 200;

export class Tally {
  readonly #counts = new Map<string, PolicyCounts>();
  /** The approximate memory of the tally. */
  octets = 0;

  constructor(counted: readonly PolicyCounts[] = []) {
    for (const counts of counted) {
      const key = JSON.stringify(counts.policy);
      this.#counts.set(key, counts);
      this.octets += counts.details.reduce(
        (sum, { failure }) => sum + weightOf(failure),
        weightOfPolicy(key),
      );
    }
  }

  get counts(): readonly PolicyCounts[] {
    return [...this.#counts.values()];
  }

  /** Counts a session. Without `room`, only policies and failures that the tally has already are counted. */
  add(given: ShownPolicy, failure: SessionFailure | undefined, room = true): void {
    const policy = { ...given, lines: bounded(given.lines), mx: bounded(given.mx) };
    const key = JSON.stringify(policy);
    let counts = this.#counts.get(key);
    if (counts === undefined) {
      if (!room || this.#counts.size >= POLICIES_MAX || this.octets > OCTETS_MAX) return;
      counts = { policy, successful: 0, failed: 0, details: [] };
      this.#counts.set(key, counts);
      this.octets += weightOfPolicy(key);
    }
    if (failure === undefined) counts.successful++;
    else {
      counts.failed++;
      this.#addDetail(counts.details, failure, room);
    }
  }

  #addDetail(details: FailureCount[], given: SessionFailure, room: boolean): void {
    const { reason, ...where } = given;
    const failure = reason === undefined ? where : { ...where, reason: plain(reason) };
    const known = details.find((one) => isSame(one.failure, failure));
    if (known !== undefined) known.count++;
    else if (room && details.length < DETAILS_MAX) {
      details.push({ failure, count: 1 });
      this.octets += weightOf(failure);
    }
  }
}

/** The memory of a policy: its text is stored as the key and as the value. */
function weightOfPolicy(key: string): number {
  return 2 * key.length;
}

function weightOf({ reason = "", from = "", host = "", to = "" }: SessionFailure): number {
  return reason.length + from.length + host.length + to.length + DETAIL_OVERHEAD;
}

function bounded(lines: readonly string[]): readonly string[] {
  return lines.slice(0, LINES_MAX).map((line) => line.slice(0, LONGEST_LINE));
}

/** A reason, possibly from a stranger, as one line of plain text. */
function plain(reason: string): string {
  return reason.replaceAll(/[\p{C}\p{Z}]+/gu, " ").slice(0, LONGEST_REASON);
}

function isSame(one: SessionFailure, other: SessionFailure): boolean {
  return (["result", "reason", "from", "host", "to"] as const).every(
    (key) => one[key] === other[key],
  );
}
