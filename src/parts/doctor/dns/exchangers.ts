// Whether the MX records of a domain lead its mail through this relay: the relay first, no host behind its back, and no
// backup that the relay does not know.

import { resolveAddresses } from "../../../dns/addresses.ts";
import type { MxRecord } from "../../../dns/dns.ts";
import type { Setup } from "../check.ts";
import { failure, type Finding, ok, skipped, warning } from "../finding.ts";
import { listenedAddresses } from "../own.ts";
import { nextHops } from "../next-hops.ts";
import type { OwnAddresses } from "./addresses.ts";

/** MX records of a domain that are looked at. */
const RECORDS_MAX = 50;
/** Hosts that take the mail of Google's customers. */
const GOOGLE = /(?:^|\.)(?:google|googlemail)\.com$/;

export interface Exchangers {
  readonly findings: readonly Finding[];
  /** The MX names that are this relay. Empty if none is, or if the DNS gives no answer. */
  readonly own: readonly string[];
}

interface Exchanger extends MxRecord {
  readonly kind: "own" | "around" | "known" | "unknown" | "unresolved" | "unanswered";
}

export async function checkExchangers(
  domain: string,
  addresses: Promise<OwnAddresses>,
  setup: Setup,
): Promise<Exchangers> {
  const answer = await setup.chain.outside.resolver.mx(domain);
  if (answer.kind === "temporary") {
    return {
      own: [],
      findings: [skipped(`MX of ${domain}: the DNS gives no answer: ${answer.error}`)],
    };
  }
  const { ours } = await addresses;
  if (answer.kind !== "found") return withoutExchanger(domain, ours, setup);
  const records = answer.records.toSorted((a, b) => a.preference - b.preference);
  const looked = records.slice(0, RECORDS_MAX).map((record) => kindOf(record, ours, setup));
  const sorted = await Promise.all(looked);
  const own = sorted.filter(({ kind }) => kind === "own").map(({ exchange }) => exchange);
  return { own, findings: findingsOf(domain, sorted, setup.configuration.relay.hostname) };
}

/** RFC 5321 5.1: a domain without MX records gets its mail at its own address. */
async function withoutExchanger(
  domain: string,
  ours: readonly string[],
  { configuration, chain }: Setup,
): Promise<Exchangers> {
  const { hostname } = configuration.relay;
  const addresses = await resolveAddresses(chain.outside.resolver, domain);
  const found = addresses.kind === "found" ? addresses.records : [];
  const leadsHere = found.length > 0 && found.every((address) => ours.includes(address));
  if (leadsHere || domain === hostname) {
    const finding = ok(`MX of ${domain}: there is none, and its address record leads here`);
    return { own: [domain], findings: [finding] };
  }
  const advice = `Publish: ${domain}. MX 10 ${hostname}.`;
  return { own: [], findings: [failure(`MX of ${domain}: there is none`, advice)] };
}

async function kindOf(record: MxRecord, ours: readonly string[], setup: Setup): Promise<Exchanger> {
  const { configuration, chain } = setup;
  const name = record.exchange.replace(/\.$/, "");
  const exchanger = { exchange: name, preference: record.preference };
  if (name === configuration.relay.hostname) return { ...exchanger, kind: "own" };
  const hops = nextHops(setup);
  if (GOOGLE.test(name) || hops.some(({ host }) => host.name === name)) {
    return { ...exchanger, kind: "around" };
  }
  const answer = await resolveAddresses(chain.outside.resolver, name);
  if (answer.kind === "temporary") return { ...exchanger, kind: "unanswered" };
  if (answer.kind !== "found") return { ...exchanger, kind: "unresolved" };
  const own = new Set([...ours, ...listenedAddresses(configuration)]);
  if (answer.records.every((address) => own.has(address))) return { ...exchanger, kind: "own" };
  const lists = [...configuration.hosts.keys()].map((list) => chain.lists.hosts([`+${list}`]));
  const isKnown = answer.records.some((address) =>
    lists.some((list) => list.match(address).kind === "in"),
  );
  return { ...exchanger, kind: isKnown ? "known" : "unknown" };
}

/** Kinds that are no finding of their own if they come before this relay. */
const BEFORE: ReadonlySet<Exchanger["kind"]> = new Set(["known", "unknown", "unresolved"]);

function findingsOf(domain: string, sorted: readonly Exchanger[], hostname: string): Finding[] {
  const at = `MX of ${domain}`;
  const publish = `Publish: ${domain}. MX 10 ${hostname}.`;
  if (sorted.some(({ exchange }) => exchange === "")) {
    return [failure(`${at}: it is null, so the domain gets no mail at all`, publish)];
  }
  const first = sorted[0]?.preference;
  const own = sorted.filter(({ kind }) => kind === "own");
  const findings = sorted.flatMap((exchanger) => otherFinding(at, exchanger, own[0]));
  if (own.length === 0) {
    const names = sorted.map(({ exchange }) => exchange).join(", ");
    // A host behind the relay's back is part of the same mistake.
    return [failure(`${at}: it names ${names}, and not this relay`, publish)];
  }
  const isFirst = own[0]?.preference === first;
  const before = sorted.find(({ kind }) => BEFORE.has(kind));
  if (!isFirst && before !== undefined && before.preference === first) {
    findings.push(
      failure(
        `${at}: ${before.exchange} (${before.preference}) comes before ${own[0]?.exchange} (${own[0]?.preference})`,
        `Give ${own[0]?.exchange} the lowest number of all MX records of ${domain}.`,
      ),
    );
  }
  if (findings.every(({ result }) => result === "ok" || result === "warn")) {
    const names = own.map(({ exchange, preference }) => `${exchange} (${preference})`).join(", ");
    return [ok(`${at}: ${names} comes first`), ...findings];
  }
  return findings;
}

/** The finding about an MX that is not this relay. */
function otherFinding(at: string, other: Exchanger, own: Exchanger | undefined): Finding[] {
  const shown = `${other.exchange} (${other.preference})`;
  const isBefore = own === undefined || other.preference < own.preference;
  switch (other.kind) {
    case "own":
      return [];
    case "unanswered":
      return [skipped(`${at}: the DNS gives no answer about ${shown}`)];
    case "around":
      return [
        failure(
          `${at}: ${shown} takes mail past this relay, so such mail has no copy`,
          `Remove ${other.exchange} from the MX records.`,
        ),
      ];
    case "unresolved":
      return isBefore
        ? []
        : [warning(`${at}: ${shown} has no address`, "Remove it, or publish its address record.")];
    case "known":
      return isBefore ? [] : [ok(`${at}: the backup ${shown} is in a list of [hosts]`)];
    case "unknown":
      return isBefore || own === undefined ? [] : [unknownFinding(at, other, own)];
  }
}

function unknownFinding(at: string, other: Exchanger, own: Exchanger): Finding {
  const shown = `${other.exchange} (${other.preference})`;
  if (other.preference === own.preference) {
    return failure(
      `${at}: ${shown} gets a share of the mail, and is no host that this relay knows`,
      `Give it a higher number, or remove it. If it is yours, name its address in a list of [hosts].`,
    );
  }
  return warning(
    `${at}: the backup ${shown} is no host that this relay knows`,
    "If it is yours, name its address in a list of [hosts], and in Google's inbound gateway. If not, remove it.",
  );
}
