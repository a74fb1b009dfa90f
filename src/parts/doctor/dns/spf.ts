// Whether the SPF record of a name passes the addresses from which our mail leaves, and needs at most ten lookups for
// every client (RFC 7208 4.6.4). A receiver that finds more treats the whole record as wrong.

import type { Resolver } from "../../../dns/dns.ts";
import { parseDomain } from "../../../mail/address.ts";
import { createQuestions } from "../../../receive/authentication/dns-questions.ts";
import { checkSpf, type Result } from "../../../receive/authentication/mailauth.ts";
import type { Setup } from "../check.ts";
import { failure, type Finding, ok, skipped, warning } from "../finding.ts";
import type { OwnAddresses } from "./addresses.ts";

const LOOKUPS_MAX = 10;
/** Milliseconds for the evaluation of one record. */
const PATIENCE = 20_000;

export interface SpfSubject {
  /** A domain of ours, or the name that the relay says in EHLO. */
  readonly name: string;
  /** Whether the name is checked as that of EHLO, which counts for mail with a null sender. */
  readonly isHelo: boolean;
}

export async function checkSpfRecord(
  subject: SpfSubject,
  addresses: Promise<OwnAddresses>,
  setup: Setup,
): Promise<readonly Finding[]> {
  const { name } = subject;
  const at = `SPF of ${name}`;
  const read = await readRecord(name, setup.chain.outside.resolver);
  if ("error" in read) return [skipped(`${at}: the DNS gives no answer: ${read.error}`)];
  const { senders } = await addresses;
  const [record, ...more] = read.records;
  if (record === undefined) return [absent(subject, senders)];
  if (more.length > 0) {
    const advice = "Join them into one record: with several, receivers use none.";
    return [failure(`${at}: there are ${read.records.length} records`, advice)];
  }
  const counted = await countLookups(name, setup.chain.outside.resolver);
  if ("error" in counted) return [skipped(`${at}: ${counted.error}`)];
  if (counted.count > LOOKUPS_MAX) {
    return [
      failure(
        `${at}: it needs ${counted.count} lookups, and receivers stop at ${LOOKUPS_MAX}`,
        `Replace include:, a and mx terms of ${name} by ip4: and ip6: terms, or remove senders that are no longer used.`,
      ),
    ];
  }
  if (senders.length === 0) {
    return [
      skipped(`${at}: no address of this relay is known, because no address record leads here`),
    ];
  }
  const judged = await Promise.all(senders.map((address) => judge(subject, address, setup)));
  return coverage(at, judged, counted.count);
}

function absent({ name, isHelo }: SpfSubject, senders: readonly string[]): Finding {
  const record = `${name}. TXT "v=spf1 ${senders.map(termOf).join(" ")}${senders.length > 0 ? " " : ""}-all"`;
  return isHelo
    ? warning(
        `SPF of ${name}: there is no record, so bounces of this relay are unauthenticated`,
        `Publish: ${record}. Bounces have a null sender, so receivers check the name in EHLO.`,
      )
    : failure(
        `SPF of ${name}: there is no record`,
        `Publish: ${record.replace("-all", "include:_spf.google.com ~all")}.`,
      );
}

function termOf(address: string): string {
  return `${address.includes(":") ? "ip6" : "ip4"}:${address}`;
}

interface Judged {
  readonly address: string;
  readonly result: Result;
}

async function judge({ name, isHelo }: SpfSubject, address: string, setup: Setup): Promise<Judged> {
  const { hostname } = setup.configuration.relay;
  const { ask, end } = createQuestions(setup.chain.outside.resolver, setup.clock, PATIENCE);
  const sender = isHelo ? "" : `postmaster@${name}`;
  try {
    const { result } = await checkSpf({ sender, address, helo: name, hostname }, ask);
    return { address, result };
  } finally {
    end();
  }
}

function coverage(at: string, judged: readonly Judged[], lookups: number): Finding[] {
  const late = judged.find(({ result }) => result === "temperror");
  if (late !== undefined) {
    return [skipped(`${at}: the DNS gives no answer to a term of the record`)];
  }
  const left = judged.filter(({ result }) => result !== "pass");
  const shown = (all: readonly Judged[]) => all.map(({ address }) => address).join(", ");
  if (left.length === 0) {
    const count = `${lookups} of ${LOOKUPS_MAX} lookups`;
    return [ok(`${at}: it passes ${shown(judged)}, with ${count}`)];
  }
  const [{ result } = { result: "fail" }] = left;
  if (result === "permerror") {
    return [
      failure(`${at}: the record has an error`, "Correct the record: receivers do not use it."),
    ];
  }
  const terms = left.map(({ address }) => termOf(address)).join(" ");
  return [
    failure(
      `${at}: it does not pass ${shown(left)}, from which this relay sends (${result})`,
      `Add ${terms} to the record, in front of "all".`,
    ),
  ];
}

type Read = { readonly records: readonly string[] } | { readonly error: string };

async function readRecord(name: string, resolver: Resolver): Promise<Read> {
  const answer = await resolver.txt(name);
  if (answer.kind === "temporary") return { error: answer.error };
  const texts = answer.kind === "found" ? answer.records : [];
  return { records: texts.filter((text) => /^v=spf1(?: |$)/i.test(text)) };
}

/** Records that are read at most, to count the lookups of a record. */
const RECORDS_MAX = 40;

/** Counts the terms that cause lookups, in the record and all that it includes. */
async function countLookups(
  name: string,
  resolver: Resolver,
): Promise<{ readonly count: number } | { readonly error: string }> {
  let count = 0;
  const waiting = [name];
  for (let read = 0; read < RECORDS_MAX; read++) {
    const next = waiting.shift();
    if (next === undefined) break;
    const found = await readRecord(next, resolver);
    if ("error" in found) return { error: `the DNS gives no answer about ${next}: ${found.error}` };
    const terms = found.records[0]?.split(" ").slice(1) ?? [];
    const hasAll = terms.some((term) => /^[-+~?]?all$/i.test(term));
    for (const term of terms) {
      const [, kind = "", target = ""] =
        /^[-+~?]?(include|redirect|a|mx|ptr|exists)(?=$|[:=/])[:=]?([^/]*)/i.exec(term) ?? [];
      // RFC 7208 6.1: "redirect" does not count where there is "all".
      if (kind === "" || (/redirect/i.test(kind) && hasAll)) continue;
      count += 1;
      const domain = parseDomain(target.replace(/\.$/, ""));
      if (/include|redirect/i.test(kind) && domain !== undefined) waiting.push(domain);
    }
  }
  return { count };
}
