// Reads an SPF record (RFC 7208) as a list of networks: ip4, ip6, include and redirect, recursively. Terms that
// depend on the client or on the moment (a, mx, ptr, exists, macros) are left out and named. So the list is never
// larger than the addresses that SPF passes, and may be smaller.
//
// Invariants:
// - Anything unclear is an error for the whole list.
// - A list that would pass all addresses is an error too.

import type { Resolver } from "../dns/dns.ts";
import { parseDomain } from "../mail/address.ts";
import { coversFamily, type Network, parseNetwork } from "../base/cidr.ts";

export type SpfExpansion =
  | {
      /** Host list items: networks, those that SPF does not pass first and with "!". Never empty. */
      readonly entries: readonly string[];
      /** Mechanisms that were left out: "a:mail.example.com". */
      readonly ignored: readonly string[];
      /** The domains whose records were read, in order. */
      readonly records: readonly string[];
    }
  | { readonly error: string };

/** RFC 7208 4.6.4. */
const LOOKUPS_MAX = 10;
/**
 * Limit of networks and other terms of a whole list: the address of each client is compared with it. Google's list
 * has twenty.
 */
const TERMS_MAX = 1000;

interface Expanding {
  readonly resolver: Resolver;
  readonly seen: Set<string>;
  readonly passed: Set<string>;
  readonly excluded: Set<string>;
  readonly ignored: Set<string>;
}

export async function expandSpf(resolver: Resolver, domain: string): Promise<SpfExpansion> {
  const state: Expanding = {
    resolver,
    seen: new Set(),
    passed: new Set(),
    excluded: new Set(),
    ignored: new Set(),
  };
  const error = (await expand(domain, state)) ?? passProblem([...state.passed]);
  if (error !== undefined) return { error };
  if (state.excluded.size + state.ignored.size > TERMS_MAX) return { error: TOO_LONG };
  const excluded = [...state.excluded].map((network) => `!${network}`);
  return {
    entries: [...excluded, ...state.passed],
    ignored: [...state.ignored],
    records: [...state.seen],
  };
}

const TOO_LONG = `has more than ${TERMS_MAX} terms`;

/** The problem of these networks: none at all, too many, or all addresses; undefined if they are usable. */
export function passProblem(passed: readonly string[]): string | undefined {
  if (passed.length === 0) return "passes no address";
  if (passed.length > TERMS_MAX) return TOO_LONG;
  const networks: Network[] = passed.flatMap((text) => parseNetwork(text) ?? []);
  return coversFamily(networks) ? "passes every address" : undefined;
}

/** Adds the networks that the record of `domain` passes. If it returns an error, no result may be used. */
async function expand(domain: string, state: Expanding): Promise<string | undefined> {
  // A second visit adds nothing to a union, in a diamond as in a loop.
  if (state.seen.has(domain)) return undefined;
  if (state.seen.size > LOOKUPS_MAX) return `needs more than ${LOOKUPS_MAX} lookups`;
  state.seen.add(domain);

  const record = await fetchRecord(state.resolver, domain);
  if ("error" in record) return record.error;
  let redirect: string | undefined;
  for (const term of record.terms) {
    const wanted = /^redirect=(.*)$/i.exec(term);
    if (wanted !== null) redirect = wanted[1];
    // Other modifiers do not change the result (RFC 7208 6).
    if (/^[a-z][\w.-]*=/i.test(term)) continue;
    const step = await readMechanism(term, domain, state);
    if (step.kind === "stop") return undefined;
    if (step.kind === "error") return step.error;
  }
  if (redirect === undefined) return undefined;
  const target = targetOf(redirect);
  if (target !== undefined) return expand(target, state);
  state.ignored.add(`redirect=${redirect}`);
  return undefined;
}

type Terms = { readonly terms: readonly string[] } | { readonly error: string };

async function fetchRecord(resolver: Resolver, domain: string): Promise<Terms> {
  const answer = await resolver.txt(domain);
  if (answer.kind === "temporary") return { error: `TXT of ${domain}: ${answer.error}` };
  if (answer.kind !== "found") return { error: `${domain} has no SPF record` };
  const records = answer.records.filter((text) => /^v=spf1(?: |$)/i.test(text));
  const [record] = records;
  if (record === undefined) return { error: `${domain} has no SPF record` };
  if (records.length > 1) return { error: `${domain} has ${records.length} SPF records` };
  return {
    terms: record
      .split(" ")
      .slice(1)
      .filter((term) => term !== ""),
  };
}

/** The effect of a mechanism on the rest of its record. After "stop" the other terms are ignored (RFC 7208 5.1). */
type Step = { readonly kind: "next" | "stop" } | { readonly kind: "error"; readonly error: string };

const NEXT: Step = { kind: "next" };

interface Mechanism {
  /** The term as the record of `domain` has it. */
  readonly term: string;
  readonly domain: string;
  /** The text after the colon. */
  readonly value: string;
  /** Whether its qualifier is "+" or absent. */
  readonly passes: boolean;
  readonly state: Expanding;
}

type Reader = (mechanism: Mechanism) => Step | Promise<Step>;

/** A term that depends on the client or the moment: a list cannot contain it. */
const leftOut: Reader = (mechanism) => follow(mechanism, undefined);

const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ["all", readAll],
  ["ip4", (mechanism) => readNetwork(mechanism, 4)],
  ["ip6", (mechanism) => readNetwork(mechanism, 6)],
  ["include", (mechanism) => follow(mechanism, targetOf(mechanism.value))],
  ["a", leftOut],
  ["mx", leftOut],
  ["ptr", leftOut],
  ["exists", leftOut],
]);

async function readMechanism(term: string, domain: string, state: Expanding): Promise<Step> {
  const [, qualifier = "", name = "", value = ""] =
    /^([-+~?]?)([a-z][a-z0-9]*)(?::(.+)|\/.+)?$/i.exec(term) ?? [];
  const passes = qualifier === "" || qualifier === "+";
  const read = READERS.get(name.toLowerCase());
  if (read === undefined) return failed(`${domain} has an unknown mechanism "${term}"`);
  return read({ term, domain, value, passes, state });
}

function readAll({ term, domain, passes }: Mechanism): Step {
  return passes ? failed(`${domain} passes every address ("${term}")`) : { kind: "stop" };
}

function readNetwork({ term, domain, value, passes, state }: Mechanism, family: 4 | 6): Step {
  if (parseNetwork(value)?.family !== family)
    return failed(`${domain} has an unreadable "${term}"`);
  (passes ? state.passed : state.excluded).add(value.toLowerCase());
  return NEXT;
}

/** Continues with the record of `target`. If `target` is undefined, the mechanism is left out. */
async function follow(mechanism: Mechanism, target: string | undefined): Promise<Step> {
  const { term, domain, passes, state } = mechanism;
  if (!passes) return failed(`${domain} has "${term}", which cannot be followed`);
  if (target === undefined) {
    state.ignored.add(term);
    return NEXT;
  }
  const error = await expand(target, state);
  return error === undefined ? NEXT : failed(error);
}

function failed(error: string): Step {
  return { kind: "error", error };
}

/** The domain that the value names; undefined for a macro, which is another domain for every client (RFC 7208 7). */
function targetOf(value: string): string | undefined {
  return parseDomain(value.replace(/\.$/, ""));
}
