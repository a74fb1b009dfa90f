// Warnings: settings that are valid but probably a mistake, such as files of accounts that cannot be read or are in
// another program's format, or the secret of the example. `check` and the start of the relay print them, and neither
// fails because of them.

import { findUser } from "../base/users.ts";
import type { RouterSurvey } from "../contract/contract.ts";
import { parseHostItem } from "../lists/host-items.ts";
import { type ListSurvey, parseLookup } from "../lists/lookup.ts";
import { hasPlaceholder, itemsOfDomains } from "../lists/domain-placeholder.ts";
import { parseDomain, parseMailbox } from "../mail/address.ts";
import { type Configuration, hasAddressValues } from "./configuration.ts";
import { orderWarnings } from "./order-warnings.ts";

/** At most this many entries of each file are named. */
const NAMED_MAX = 3;

/** The secret in the public example, etc/routers.toml. */
const PUBLISHED_SECRET = "put-a-long-secret-here";

/** The shortest secret that is not worth a warning: 16 random letters and digits are 80 bits or more. */
const SECRET_LEAST = 16;

/** Returns one clause for each warning, with its place in front. */
export async function warningsOf(configuration: Configuration): Promise<string[]> {
  const { file, gate, relay } = configuration;
  const warnings: string[] = [];
  if (relay.user !== undefined && findUser(relay.user) === undefined) {
    warnings.push(`${file}: relay.user: there is no user "${relay.user}" on this machine`);
  }
  for (const [index, { hosts, proof, client_certificates: certificates }] of gate.relay.entries()) {
    const at = `${file}: gate.relay[${index}]`;
    if (proof?.header?.some((header) => header.endsWith(PUBLISHED_SECRET)) === true) {
      warnings.push(`${at}.proof.header: the secret is that of the example`);
    }
    if (proof?.header?.some((header) => secretOf(header).length < SECRET_LEAST) === true) {
      warnings.push(
        `${at}.proof.header: a secret of fewer than ${SECRET_LEAST} characters can be guessed`,
      );
    }
    if (proof === undefined && certificates === undefined && isSharedList(hosts, configuration)) {
      warnings.push(
        `${at}: has no proof, so whoever else sends through these hosts may relay as you`,
      );
    }
  }
  for (const [index, { key_file: key }] of relay.dkim.entries()) {
    if (!key.isOpen) continue;
    const why = `everybody on this machine can use ${key.path}; "chmod o= ${key.path}" ends that`;
    warnings.push(`${file}: relay.dkim[${index}].key_file: ${why}`);
  }
  warnings.push(...orderWarnings(configuration));
  for (const [name, { survey, kind }] of lookedUp(configuration)) {
    warnings.push(...listWarnings(name, await survey(), kind));
  }
  for (const { doubts } of await surveysOf(configuration)) warnings.push(...doubts);
  return warnings;
}

/** The value of a header field, `Name: value`. */
function secretOf(header: string): string {
  return header.slice(header.indexOf(":") + 1).trim();
}

/** The surveys of the routers' files. Routers that share a file give one survey. */
export async function surveysOf(configuration: Configuration): Promise<RouterSurvey[]> {
  const surveys = new Map<string, RouterSurvey>();
  for (const { driver, options } of configuration.routers) {
    const survey = await driver.survey?.(options, configuration.relay.spool_directory);
    if (survey !== undefined) surveys.set(JSON.stringify(survey), survey);
  }
  return [...surveys.values()];
}

/** Whether a list contains hosts that send for others too, as those of an SPF record usually do. */
export function isSharedList(items: readonly string[], configuration: HostDefinitions): boolean {
  const { hosts, lookups } = configuration;
  return items.some((text) => {
    const item = parseHostItem(text);
    if (item === undefined || item.negated) return false;
    if (item.kind === "list") return isSharedList(hosts.get(item.name) ?? [], configuration);
    const lookup = item.kind === "lookup" ? lookups.get(item.scheme) : undefined;
    return lookup?.of === "hosts" && lookup.isShared === true;
  });
}

type HostDefinitions = Pick<Configuration, "hosts" | "lookups">;

function* domainTexts({ domains, gate, routers }: Configuration): Generator<string> {
  for (const items of domains.values()) yield* items;
  yield* gate.local_domains;
  for (const rule of gate.relay) yield* rule.sender_domains ?? [];
  for (const { chain } of routers) {
    yield* chain.domains ?? [];
    yield* chain.sender_domains ?? [];
  }
}

function* localPartTexts(configuration: Configuration): Generator<[string, Kind]> {
  const { domains, gate, routers } = configuration;
  const pairs = [
    ...gate.relay.map((rule) => [rule.sender_local_parts, rule.sender_domains] as const),
    ...routers.map(({ chain }) => [chain.local_parts, chain.domains] as const),
    ...routers.map(({ chain }) => [chain.sender_local_parts, chain.sender_domains] as const),
  ];
  for (const [texts = [], beside = []] of pairs) {
    for (const text of texts) {
      const mayLeadElsewhere = hasAddressValues(configuration) || hasPlaceholder(text);
      const kind = mayLeadElsewhere ? "local parts of all domains" : "local parts";
      for (const item of itemsOfDomains(text, beside, (name) => domains.get(name)))
        yield [item, kind];
    }
  }
}

/** The keys of a list. In a list of local parts of all domains, the values may be addresses. */
type Kind = "domains" | "local parts" | "local parts of all domains";

interface LookedUp {
  readonly survey: () => Promise<ListSurvey>;
  readonly kind: Kind;
}

/** The sources that items of lists look up in, each once, by name. */
function lookedUp(configuration: Configuration): ReadonlyMap<string, LookedUp> {
  const { lookups, directory, relay } = configuration;
  const found = new Map<string, LookedUp>();
  const ofDomains = Array.from(domainTexts(configuration), (text) => [text, "domains"] as const);
  for (const [text, kind] of [...ofDomains, ...localPartTexts(configuration)]) {
    const item = parseLookup(text.startsWith("!") ? text.slice(1) : text);
    if (item === undefined) continue;
    const lookup = lookups.get(item.scheme);
    if (lookup?.of !== "names" || lookup.survey === undefined) continue;
    const name = lookup.nameOf(item.argument, directory);
    const nothing: ListSurvey = { entries: [], doubts: [], indented: [] };
    const survey = async () => (await lookup.survey?.(name, relay.spool_directory)) ?? nothing;
    found.set(name, { survey, kind });
  }
  return found;
}

function listWarnings(
  path: string,
  { entries, doubts, indented }: ListSurvey,
  kind: Kind,
): string[] {
  if (doubts.length > 0) return [...doubts];
  if (entries.length === 0) return [`${path}: is empty: nobody is in it`];
  const found = [
    ...indented.map(
      ({ line, text }) =>
        `${path}:${line}: ${JSON.stringify(text)} stands behind a blank: it belongs to the line above and is no name`,
    ),
    ...entries.flatMap(({ key, value }) => {
      const warning = entryWarning(key, value, kind);
      return warning === undefined ? [] : [`${path}: "${key}": ${warning}`];
    }),
  ];
  if (found.length <= NAMED_MAX) return found;
  return [...found.slice(0, NAMED_MAX), `${path}: and more of that kind`];
}

function entryWarning(key: string, value: string, kind: Kind): string | undefined {
  const ofLocalParts = kind !== "domains";
  if (ofLocalParts && key.includes("@")) return "is an address; a local part is wanted";
  if (!ofLocalParts && key.startsWith("*")) {
    return "is a pattern, and a file has none; write it into routers.toml";
  }
  if (!ofLocalParts && parseDomain(key.replace(/\.$/, "")) === undefined) return "is no domain";
  if (/^#|\s#/.test(value)) return "has a comment behind it, which needs a line of its own";
  if (!/[\s,@]/.test(value)) return undefined;
  if (kind === "local parts of all domains" && parseMailbox(value) !== undefined) return undefined;
  return `has its copies under the name of "${value}", which is no local part`;
}
