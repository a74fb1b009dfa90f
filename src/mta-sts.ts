// MTA-STS (RFC 8461): what other domains ask of mail to them, found out, remembered, and kept fresh.
//
// Invariants: a policy that was fetched holds until its max_age is over, whatever the DNS or the policy host say or do
// not say meanwhile; only another policy takes its place. One that cannot be fetched never holds up mail for longer
// than one attempt to fetch it. On first contact there is nothing to go by: that is the RFC's own limit.

import { join } from "node:path";
import type { Clock, Timer } from "./clock.ts";
import type { Resolver } from "./dns/resolver.ts";
import { TtlCache } from "./dns/ttl-cache.ts";
import type { Https } from "./https.ts";
import { describeError, type Log } from "./log.ts";
import { fetchPolicy } from "./mta-sts/fetch.ts";
import { type KeptPolicy, readPolicies } from "./mta-sts/kept-policy.ts";
import { removePolicy, writePolicy } from "./mta-sts/kept-policy.ts";
import { parsePolicy, recordId } from "./mta-sts/policy-text.ts";
import type { TlsSessions } from "./tls-reports.ts";
import { errorCode } from "./error-code.ts";
import { certificateResult } from "./tls-reports/results.ts";

/** What a transport asks. */
export interface StsPolicies {
  /** The policy that holds for mail to this domain now. Never rejects. */
  policyOf(domain: string): Promise<KeptPolicy | undefined>;
}

export interface MtaStsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly resolver: Resolver;
  readonly spoolDirectory: string;
  /** Nothing is written. */
  readonly readOnly: boolean;
  readonly https?: Https;
  /** Told of policies that cannot be had. */
  readonly tlsSessions?: TlsSessions;
}

const HOUR = 3_600_000;
/** So old a policy is fetched again, long before its end. */
const FRESH = 24 * HOUR;
/** After a failure the policy host is left alone for so long; for a day if nothing new is to be had from it. */
const PAUSE = 300_000;
const POLICIES_MAX = 10_000;
/** How far ahead of the clock a stored time may lie; in ms. */
const CLOCK_ERROR = 5000;

interface Held {
  readonly policy: KeptPolicy;
  /** By the monotonic clock: a policy ends by time that has passed, not because somebody sets the clock. */
  readonly fetchedAt: number;
}

export class MtaSts implements StsPolicies {
  readonly #options: MtaStsOptions;
  readonly #directory: string;
  /** By domain, in the order of their last use. */
  readonly #kept = new Map<string, Held>();
  readonly #underway = new Map<string, Promise<KeptPolicy | undefined>>();
  /** Domain and id that could not be fetched. */
  readonly #failed: TtlCache<true>;
  readonly #closing = new AbortController();
  #loaded: Promise<void> | undefined;
  #timer: Timer | undefined;

  constructor(options: MtaStsOptions) {
    this.#options = options;
    this.#directory = join(options.spoolDirectory, "mta-sts");
    this.#failed = new TtlCache(options.clock, POLICIES_MAX);
  }

  async policyOf(domain: string): Promise<KeptPolicy | undefined> {
    await (this.#loaded ??= this.#load());
    const kept = this.#current(domain);
    const id = await this.#publishedId(domain);
    if (id === undefined || id === kept?.id) return kept;
    return (await this.#fetched(domain, id)) ?? this.#current(domain);
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error("the relay is stopping"));
    this.#timer?.cancel();
    await Promise.all(this.#underway.values());
  }

  #current(domain: string): KeptPolicy | undefined {
    const held = this.#kept.get(domain);
    if (held === undefined || this.#isOver(held)) return undefined;
    this.#kept.delete(domain);
    this.#kept.set(domain, held);
    return held.policy;
  }

  #isOver({ policy, fetchedAt }: Held): boolean {
    return this.#options.clock.monotonic() - fetchedAt >= policy.maxAge * 1000;
  }

  /** Undefined: there is no policy, or nobody knows, which comes to the same for what is kept (RFC 8461 3.1). */
  async #publishedId(domain: string): Promise<string | undefined> {
    const answer = await this.#options.resolver.txt(`_mta-sts.${domain}`);
    return answer.kind === "found" ? recordId(answer.records) : undefined;
  }

  /** Once for all who ask at the same time. Undefined when it cannot be fetched, or could not be a while ago. */
  #fetched(domain: string, id: string): Promise<KeptPolicy | undefined> {
    const known = this.#underway.get(domain);
    if (known !== undefined) return known;
    if (this.#failed.get(`${domain} ${id}`) !== undefined) return Promise.resolve(undefined);
    const fetching = this.#fetch(domain, id).finally(() => this.#underway.delete(domain));
    this.#underway.set(domain, fetching);
    return fetching;
  }

  async #fetch(domain: string, id: string): Promise<KeptPolicy | undefined> {
    const { clock, log, resolver, https = { port: 443 } } = this.#options;
    const { signal } = this.#closing;
    let text: string | undefined;
    try {
      text = await fetchPolicy(domain, { clock, resolver, https, signal });
      const policy = { domain, id, fetchedAt: clock.now(), ...parsePolicy(text) };
      await this.#keep(policy);
      const { mode, mx, maxAge } = policy;
      log.event("mta_sts.fetched", { domain, mode, mx, max_age_s: maxAge });
      return policy;
    } catch (error) {
      if (signal.aborted) return undefined;
      const kept = this.#current(domain);
      this.#failed.set(`${domain} ${id}`, true, kept?.id === id ? FRESH : PAUSE);
      const why = describeError(error);
      log.event("mta_sts.failed", { domain, error: why, kept: kept !== undefined });
      if (kept === undefined) this.#count(domain, error, text !== undefined);
      return undefined;
    }
  }

  /** Mail goes without the policy: the domain will want to know (RFC 8460 4.3.2.2). */
  #count(domain: string, error: unknown, isFetched: boolean): void {
    const isUntrusted = certificateResult(errorCode(error) ?? "") !== undefined;
    const unfetched = isUntrusted ? "sts-webpki-invalid" : "sts-policy-fetch-error";
    const result = isFetched ? "sts-policy-invalid" : unfetched;
    const reason = error instanceof Error ? error.message : String(error);
    const policy = { type: "sts", domain, lines: [], mx: [] } as const;
    this.#options.tlsSessions?.ended(domain, () => ({ policy, failure: { result, reason } }));
  }

  async #keep(policy: KeptPolicy): Promise<void> {
    const [oldest] = this.#kept.keys();
    if (this.#kept.size >= POLICIES_MAX && oldest !== undefined) await this.#forget(oldest);
    this.#kept.delete(policy.domain);
    this.#kept.set(policy.domain, { policy, fetchedAt: this.#options.clock.monotonic() });
    this.#timer ??= this.#later();
    await this.#onDisk(() => writePolicy(this.#directory, policy));
  }

  async #forget(domain: string): Promise<void> {
    this.#kept.delete(domain);
    await this.#onDisk(() => removePolicy(this.#directory, domain));
  }

  /** A policy that is not on disk holds all the same, until the next restart. */
  async #onDisk(change: () => Promise<void>): Promise<void> {
    if (this.#options.readOnly) return;
    try {
      await change();
    } catch (error) {
      this.#failedHere(error);
    }
  }

  #failedHere(error: unknown): void {
    this.#options.log.event("relay.error", { where: "mta-sts", error: describeError(error) });
  }

  async #load(): Promise<void> {
    const { log } = this.#options;
    const broken = (path: string, error: unknown) =>
      log.event("relay.warning", { what: `${path} cannot be used: ${describeError(error)}` });
    try {
      for (const policy of await readPolicies(this.#directory, broken)) {
        this.#kept.set(policy.domain, {
          policy,
          fetchedAt: this.#options.clock.monotonic() - this.#ageOf(policy),
        });
      }
    } catch (error) {
      this.#failedHere(error);
    }
    if (this.#kept.size > 0) this.#timer ??= this.#later();
  }

  /** One from the future was fetched when the clock was ahead: how old it is nobody knows, so it is fetched again. */
  #ageOf({ fetchedAt }: KeptPolicy): number {
    const age = this.#options.clock.now() - fetchedAt;
    return age < -CLOCK_ERROR ? FRESH : Math.max(0, age);
  }

  #later(): Timer {
    return this.#options.clock.after(HOUR, () => void this.#refresh());
  }

  /** Once an hour: what is a day old is fetched again, what is over is forgotten. */
  async #refresh(): Promise<void> {
    const { clock, readOnly } = this.#options;
    if (readOnly) return;
    for (const { policy, fetchedAt } of Array.from(this.#kept.values())) {
      if (this.#closing.signal.aborted) return;
      const { domain } = policy;
      if (fetchedAt <= clock.monotonic() - FRESH) {
        await this.#fetched(domain, (await this.#publishedId(domain)) ?? policy.id);
      }
      const left = this.#kept.get(domain);
      if (left !== undefined && this.#isOver(left)) await this.#forget(domain);
    }
    this.#timer = this.#later();
  }
}
