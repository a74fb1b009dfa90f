// MTA-STS (RFC 8461): fetches the policies of other domains for mail to them, stores them, and keeps them fresh.
//
// Invariants:
// - A fetched policy holds until its max_age is over, whatever the DNS or the policy host say or do not say meanwhile.
//   Only another policy replaces it.
// - A policy that cannot be fetched holds up mail at most for one attempt to fetch it.
// - For the first mail to a domain there is no policy yet: that is the RFC's own limit.

import { join } from "node:path";
import type { Clock, Timer } from "../../base/clock.ts";
import type { Resolver } from "../../dns/dns.ts";
import { TtlCache } from "../../base/ttl-cache.ts";
import { HTTPS, type Https } from "../../base/net/https.ts";
import { describeError, type Log } from "../../observe/log.ts";
import { fetchPolicy } from "../../tls/policy-fetch.ts";
import { readPolicies } from "./kept-policy.ts";
import { FetchLine } from "./fetch-line.ts";
import { type Held, HeldPolicies } from "./policies.ts";
import { removePolicy, writePolicy } from "./kept-policy.ts";
import { parsePolicy, recordId } from "../../tls/policy-text.ts";
import type { TlsSessions } from "../../tls/sessions.ts";
import { errorCode } from "../../base/error-code.ts";
import { certificateResult } from "../../tls/results.ts";
import type { KeptPolicy, StsPolicies } from "../../tls/sts-policies.ts";

export interface MtaStsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly resolver: Resolver;
  readonly spoolDirectory: string;
  /** True: no file is written. */
  readonly readOnly: boolean;
  readonly https?: Https;
  /** Counts the policies that cannot be fetched. */
  readonly tlsSessions?: TlsSessions;
}

const HOUR = 3_600_000;
/** At this age a policy is fetched again, long before its end; in ms. */
const FRESH = 24 * HOUR;
/** The time from a failed fetch to the next one, in ms. If the stored policy has the current id, the time is a day. */
const PAUSE = 300_000;
/** The time from any fetch to the next one of the domain, in ms, even if the TXT record changes. */
const REST = 60_000;
/** Domains in memory for these two times. */
const DOMAINS_MAX = 10_000;
/** Policies that are fetched again at the same time. */
const REFRESHED_AT_ONCE = 10;
/** How far ahead of the clock a stored time may lie; in ms. */
const CLOCK_ERROR = 5000;

export class MtaSts implements StsPolicies {
  readonly #options: MtaStsOptions;
  readonly #directory: string;
  readonly #kept = new HeldPolicies();
  readonly #underway = new Map<string, Promise<KeptPolicy | undefined>>();
  readonly #line = new FetchLine();
  /** `#failed`: domain and id of a fetch that failed. `#resting`: the domain alone, for a shorter time. */
  readonly #failed: TtlCache<true>;
  readonly #resting: TtlCache<true>;
  readonly #closing = new AbortController();
  #loaded: Promise<void> | undefined;
  #timer: Timer | undefined;
  #isRefreshing = false;

  constructor(options: MtaStsOptions) {
    this.#options = options;
    this.#directory = join(options.spoolDirectory, "mta-sts");
    this.#failed = new TtlCache(options.clock, DOMAINS_MAX);
    this.#resting = new TtlCache(options.clock, DOMAINS_MAX);
  }

  async policyOf(domain: string): Promise<KeptPolicy | "unknown" | undefined> {
    await (this.#loaded ??= this.#load());
    const kept = this.#current(domain);
    const id = await this.#publishedId(domain);
    if (id === undefined || id === kept?.id) return kept;
    const fetched = await this.#fetched(domain, id);
    return fetched === "unknown" ? (kept ?? fetched) : (fetched ?? this.#current(domain));
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error("the relay is stopping"));
    this.#timer?.cancel();
    await Promise.all(this.#underway.values());
  }

  #current(domain: string): KeptPolicy | undefined {
    const held = this.#kept.get(domain);
    if (held === undefined || this.#isOver(held)) return undefined;
    this.#kept.use(domain);
    return held.policy;
  }

  #isOver({ policy, fetchedAt }: Held): boolean {
    return this.#options.clock.monotonic() - fetchedAt >= policy.maxAge * 1000;
  }

  /** The id in the TXT record; undefined if it is missing or the DNS does not answer. Then a stored policy still holds. */
  async #publishedId(domain: string): Promise<string | undefined> {
    const answer = await this.#options.resolver.txt(`_mta-sts.${domain}`);
    return answer.kind === "found" ? recordId(answer.records) : undefined;
  }

  /** The policy; callers at the same time share one fetch. Undefined if the fetch fails, or failed a short time ago. */
  #fetched(domain: string, id: string): Promise<KeptPolicy | undefined> | "unknown" | undefined {
    const known = this.#underway.get(domain);
    if (known !== undefined) return known;
    const isLate = this.#failed.get(`${domain} ${id}`) ?? this.#resting.get(domain);
    if (isLate !== undefined) return undefined;
    const fetching = this.#line.run(() => this.#fetch(domain, id));
    if (fetching === undefined) return "unknown";
    const underway = fetching.finally(() => this.#underway.delete(domain));
    this.#underway.set(domain, underway);
    return underway;
  }

  async #fetch(domain: string, id: string): Promise<KeptPolicy | undefined> {
    const { clock, log, resolver, https = HTTPS } = this.#options;
    const { signal } = this.#closing;
    if (signal.aborted) return undefined;
    let text: string | undefined;
    try {
      text = await fetchPolicy(domain, { clock, resolver, https, signal });
      const policy = { domain, id, fetchedAt: clock.now(), ...parsePolicy(text) };
      await this.#keep(policy);
      this.#resting.set(domain, true, REST);
      const { mode, mx, maxAge } = policy;
      log.event("mta_sts.fetched", { domain, mode, mx, max_age_s: maxAge });
      return policy;
    } catch (error) {
      if (signal.aborted) return undefined;
      const kept = this.#current(domain);
      this.#resting.set(domain, true, PAUSE);
      if (kept?.id === id) this.#failed.set(`${domain} ${id}`, true, FRESH);
      const why = describeError(error);
      log.event("mta_sts.failed", { domain, error: why, kept: kept !== undefined });
      if (kept === undefined) this.#count(domain, error, text !== undefined);
      return undefined;
    }
  }

  /** Counts the failure for the domain's report, because mail goes without the policy (RFC 8460 4.3.2.2). */
  #count(domain: string, error: unknown, isFetched: boolean): void {
    const isUntrusted = certificateResult(errorCode(error) ?? "") !== undefined;
    const unfetched = isUntrusted ? "sts-webpki-invalid" : "sts-policy-fetch-error";
    const result = isFetched ? "sts-policy-invalid" : unfetched;
    const reason = error instanceof Error ? error.message : String(error);
    const policy = { type: "sts", domain, lines: [], mx: [] } as const;
    this.#options.tlsSessions?.ended(domain, () => ({ policy, failure: { result, reason } }));
  }

  async #keep(policy: KeptPolicy): Promise<void> {
    for (const domain of this.#kept.set({ policy, fetchedAt: this.#options.clock.monotonic() }))
      await this.#forget(domain);
    this.#timer ??= this.#later();
    await this.#onDisk(() => writePolicy(this.#directory, policy));
  }

  async #forget(domain: string): Promise<void> {
    this.#kept.delete(domain);
    await this.#onDisk(() => removePolicy(this.#directory, domain));
  }

  /** Writes to disk. If that fails, the policy still holds until the next restart. */
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
        const fetchedAt = this.#options.clock.monotonic() - this.#ageOf(policy);
        for (const domain of this.#kept.set({ policy, fetchedAt })) await this.#forget(domain);
      }
    } catch (error) {
      this.#failedHere(error);
    }
    if (this.#kept.size > 0) this.#timer ??= this.#later();
  }

  /** The age of a stored policy. If its time lies ahead, a clock was ahead and the age is unknown: it is fetched again. */
  #ageOf({ fetchedAt }: KeptPolicy): number {
    const age = this.#options.clock.now() - fetchedAt;
    return age < -CLOCK_ERROR ? FRESH : Math.max(0, age);
  }

  #later(): Timer {
    return this.#options.clock.after(HOUR, () => void this.#refresh());
  }

  /** Once an hour: fetches policies again that are a day old, and removes those that have ended. */
  async #refresh(): Promise<void> {
    if (this.#options.readOnly) return;
    this.#timer = this.#later();
    const old = this.#kept.all.filter((held) => this.#isOver(held) || this.#isOld(held));
    if (this.#isRefreshing || old.length === 0) return;
    this.#isRefreshing = true;
    const queue = old.values();
    const refreshing = Array.from({ length: REFRESHED_AT_ONCE }, async () => {
      for (const held of queue) await this.#refreshOne(held);
    });
    await Promise.all(refreshing);
    this.#isRefreshing = false;
  }

  #isOld({ fetchedAt }: Held): boolean {
    return fetchedAt <= this.#options.clock.monotonic() - FRESH;
  }

  async #refreshOne(held: Held): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const { domain, id } = held.policy;
    if (this.#isOld(held)) {
      await this.#fetched(domain, (await this.#publishedId(domain)) ?? id);
    }
    const left = this.#kept.get(domain);
    if (left !== undefined && this.#isOver(left)) await this.#forget(domain);
  }
}
