// The tallies of today and of the days whose reports are not sent yet, in memory and on disk: one JSON file a day.
//
// Invariants: a file is checked when it is read, as if a stranger had written it. Files are written only by `save`, so a
// crash loses the counts since then. A day has a bounded number of domains.

import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { isTable } from "../../base/table.ts";
import type { ShownPolicy, TlsSession } from "../../tls/sessions.ts";
import { filesIn, replaceFile } from "../../base/durable/kept-files.ts";
import { DAY, dateOf } from "./report.ts";
import { RESULT_TYPES } from "../../tls/results.ts";
import { type FailureCount, type PolicyCounts, Tally } from "./tally.ts";

/** One domain on one day. */
export interface DomainDay {
  readonly tally: Tally;
  /** Destinations that have got their report. */
  readonly done: Set<string>;
  /** Failed attempts to send the report since the start of the relay. */
  failures: number;
  /** When the report is due, in milliseconds since the epoch. */
  readonly due: number;
  /** The earliest time of the next attempt to send, by the monotonic clock. */
  pausedUntil: number;
}

export interface LedgerEntry {
  readonly day: number;
  readonly domain: string;
  readonly domainDay: DomainDay;
}

/** When the report of a domain is due, in ms since the epoch. */
export type DueTime = (day: number, domain: string) => number;

const DOMAINS_MAX = 2000;
/** Octets of all days together. */
const OCTETS_MAX = 16 * 1024 * 1024;
/** The memory of a domain without its counts, in octets. */
const ACCOUNT_OVERHEAD = 500;
const ENDING = ".json";

export class Ledger {
  readonly #directory: string;
  readonly #dueTime: DueTime;
  readonly #days = new Map<number, Map<string, DomainDay>>();
  #octets = 0;
  /** Days whose counts differ from the file on disk. */
  readonly #changed = new Set<number>();
  #writing: Promise<void> = Promise.resolve();

  constructor(directory: string, dueTime: DueTime) {
    this.#directory = directory;
    this.#dueTime = dueTime;
  }

  *domainDays(): Generator<LedgerEntry> {
    for (const [day, domains] of this.#days) {
      for (const [domain, domainDay] of domains) yield { day, domain, domainDay };
    }
  }

  find(day: number, domain: string): DomainDay | undefined {
    return this.#days.get(day)?.get(domain);
  }

  /** A new account for a domain. Undefined if the day has the maximum number of domains already. */
  open(day: number, domain: string): DomainDay | undefined {
    const domains = this.#days.get(day) ?? new Map<string, DomainDay>();
    if (domains.size >= DOMAINS_MAX || this.#octets >= OCTETS_MAX) return undefined;
    this.#days.set(day, domains);
    const domainDay = this.#domainDay(day, domain, new Tally(), []);
    domains.set(domain, domainDay);
    this.#octets += weightOf(domainDay);
    return domainDay;
  }

  count(day: number, domainDay: DomainDay, { policy, failure }: TlsSession): void {
    this.#octets -= weightOf(domainDay);
    domainDay.tally.add(policy, failure, this.#octets < OCTETS_MAX);
    this.#octets += weightOf(domainDay);
    this.#changed.add(day);
  }

  remove(day: number, domain: string): void {
    const domains = this.#days.get(day);
    const domainDay = domains?.get(domain);
    if (domainDay !== undefined) this.#octets -= weightOf(domainDay);
    domains?.delete(domain);
    if (domains?.size === 0) this.#days.delete(day);
    this.#changed.add(day);
  }

  /** Marks the day as changed since the last save. */
  change(day: number): void {
    this.#changed.add(day);
  }

  /** Writes the days that have changed. If it rejects, they are still marked as changed. */
  save(): Promise<void> {
    const saved = this.#writing.then(() => this.#save());
    this.#writing = saved.catch(() => undefined);
    return saved;
  }

  async #save(): Promise<void> {
    for (const day of this.#changed) {
      this.#changed.delete(day);
      try {
        await this.#write(day);
      } catch (error) {
        this.#changed.add(day);
        throw error;
      }
    }
  }

  async #write(day: number): Promise<void> {
    const path = join(this.#directory, `${dateOf(day)}${ENDING}`);
    const domains = this.#days.get(day);
    if (domains === undefined) return rm(path, { force: true });
    const kept = Array.from(domains, ([domain, { tally, done }]) => ({
      domain,
      done: [...done],
      counts: tally.counts,
    }));
    await replaceFile(path, `${JSON.stringify(kept)}\n`);
  }

  /** Reads the files of earlier runs. `broken` is called for each file that cannot be used. */
  async load(broken: (path: string, error: unknown) => void): Promise<void> {
    for (const file of await filesIn(this.#directory)) {
      const path = join(this.#directory, file);
      const day = Date.parse(file.slice(0, -ENDING.length));
      if (!file.endsWith(ENDING) || Number.isNaN(day) || day % DAY !== 0) continue;
      try {
        const domains = this.#read(day, JSON.parse(await readFile(path, "utf8")));
        this.#days.set(day, domains);
        for (const domainDay of domains.values()) this.#octets += weightOf(domainDay);
      } catch (error) {
        broken(path, error);
      }
    }
  }

  #read(day: number, kept: unknown): Map<string, DomainDay> {
    const domains = new Map<string, DomainDay>();
    for (const one of rows(kept)) {
      const domain = text(one["domain"]);
      const tally = new Tally(rows(one["counts"]).map(countsIn));
      domains.set(domain, this.#domainDay(day, domain, tally, texts(one["done"])));
    }
    return domains;
  }

  #domainDay(day: number, domain: string, tally: Tally, done: readonly string[]): DomainDay {
    return {
      tally,
      done: new Set(done),
      failures: 0,
      due: this.#dueTime(day, domain),
      pausedUntil: 0,
    };
  }
}

function weightOf({ tally }: DomainDay): number {
  return tally.octets + ACCOUNT_OVERHEAD;
}

function countsIn(kept: Record<string, unknown>): PolicyCounts {
  const { policy, successful, failed, details } = kept;
  return {
    policy: policyIn(policy),
    successful: count(successful),
    failed: count(failed),
    details: rows(details).map(detailIn),
  };
}

const POLICY_TYPES = ["tlsa", "sts", "no-policy-found"] as const;

function policyIn(kept: unknown): ShownPolicy {
  if (!isTable(kept)) throw new Error("a policy is missing");
  const { type, domain, lines, mx } = kept;
  return {
    type: oneOf(POLICY_TYPES, type),
    domain: text(domain),
    lines: texts(lines),
    mx: texts(mx),
  };
}

function detailIn(kept: Record<string, unknown>): FailureCount {
  const { failure } = kept;
  if (!isTable(failure)) throw new Error("a failure is missing");
  const { result, reason, from, host, to } = failure;
  const given = Object.entries({ reason, from, host, to }).filter(
    ([, value]) => value !== undefined,
  );
  const told: Partial<Record<"reason" | "from" | "host" | "to", string>> = Object.fromEntries(
    given.map(([key, value]) => [key, text(value)]),
  );
  return { failure: { result: oneOf(RESULT_TYPES, result), ...told }, count: count(kept["count"]) };
}

function rows(value: unknown): Record<string, unknown>[] {
  if (!Array.isArray(value) || !value.every(isTable)) throw new Error("a list is missing");
  return value;
}

function text(value: unknown): string {
  if (typeof value !== "string") throw new Error("a text is missing");
  return value;
}

function texts(value: unknown): string[] {
  if (!Array.isArray(value)) throw new Error("a list is missing");
  return value.map(text);
}

function count(value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value))
    throw new Error("a count is missing");
  return value;
}

function oneOf<T extends string>(words: readonly T[], value: unknown): T {
  const word = words.find((one) => one === value);
  if (word === undefined) throw new Error(`unknown word ${JSON.stringify(value)}`);
  return word;
}
