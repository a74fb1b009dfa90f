// The names in the lists of copying routers: every key of a lookup in `local_parts` or `sender_local_parts`, in each
// of the domains that the router names. Patterns like "*.example.com" name no domain.

import { type Configuration, hasAddressValues } from "../config/configuration.ts";
import { hasPlaceholder, withDomain } from "../lists/domain-placeholder.ts";
import { listAccountOf } from "../lists/list-account.ts";
import { type ListEntry, type NameLookup, parseLookup } from "../lists/lookup.ts";
import { parseDomain } from "../mail/address.ts";

export type ListConfiguration = Pick<
  Configuration,
  "domains" | "lookups" | "directory" | "routers" | "relay" | "parts"
>;

/** A name that a router makes copies for. Both addresses are in lower case. */
export interface ListedName {
  readonly address: string;
  /** The address of the account that the name leads to; the same for an account. */
  readonly account: string;
  /** The place of the entry: "/etc/unseen/accounts/example.com:12". */
  readonly at: string;
}

export interface ListedNames {
  /** The first entry of each address counts. */
  readonly names: ReadonlyMap<string, ListedName>;
  /** Lists that cannot be read, a line each. */
  readonly problems: readonly string[];
}

export async function listedNames(configuration: ListConfiguration): Promise<ListedNames> {
  const reader = new ListReader(configuration);
  const names = new Map<string, ListedName>();
  for (const { chain } of configuration.routers) {
    if (!chain.unseen) continue;
    const pairs = [
      [chain.domains, chain.local_parts],
      [chain.sender_domains, chain.sender_local_parts],
    ] as const;
    for (const [domains, localParts] of pairs) {
      for (const [domain, canonical] of await reader.domainsIn(domains)) {
        for (const item of localParts ?? []) {
          for (const name of await reader.namesIn(item, domain, canonical)) {
            if (!names.has(name.address)) names.set(name.address, name);
          }
        }
      }
    }
  }
  return { names, problems: [...reader.problems] };
}

interface Read {
  readonly path: string;
  readonly entries: readonly ListEntry[];
}

/** Reads each source once. */
class ListReader {
  readonly problems = new Set<string>();
  readonly #configuration: ListConfiguration;
  readonly #read = new Map<string, Promise<Read>>();

  constructor(configuration: ListConfiguration) {
    this.#configuration = configuration;
  }

  /** The canonical key of each domain that the items name: the same, unless a file has another one for it. */
  async domainsIn(
    items: readonly string[] = [],
    seen = new Set<string>(),
  ): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for (const item of items) {
      if (item.startsWith("+")) {
        if (seen.has(item)) continue;
        seen.add(item);
        const named = this.#configuration.domains.get(item.slice(1));
        for (const [domain, key] of await this.domainsIn(named, seen)) found.set(domain, key);
        continue;
      }
      const { entries } = (await this.#entriesOf(item)) ?? { entries: [{ key: item, value: "" }] };
      for (const { key, value } of entries) {
        const domain = parseDomain(key.replace(/\.$/, ""));
        if (domain !== undefined) found.set(domain, value.toLowerCase() || domain);
      }
    }
    return found;
  }

  async namesIn(item: string, domain: string, canonical: string): Promise<ListedName[]> {
    const { path, entries } = (await this.#entriesOf(item, canonical)) ?? { path: "", entries: [] };
    const mayLeadElsewhere = hasAddressValues(this.#configuration) || hasPlaceholder(item);
    return entries.flatMap(({ key, value, line }) => {
      if (key === "" || key.includes("@")) return [];
      const plain = { localPart: value.toLowerCase() || key, domain: canonical };
      const account = { ...plain, ...(mayLeadElsewhere ? listAccountOf(key, value) : {}) };
      const address = `${account.localPart}@${account.domain}`;
      return [{ address: `${key}@${domain}`, account: address, at: `${path}:${line}` }];
    });
  }

  /** The entries of a lookup; undefined if the item is not one. An item with "!" names no account. */
  #entriesOf(item: string, domain?: string): Promise<Read> | undefined {
    const written = parseLookup(item);
    if (written === undefined) return undefined;
    const { lookups, directory } = this.#configuration;
    const lookup = lookups.get(written.scheme);
    const argument =
      domain !== undefined && hasPlaceholder(written.argument)
        ? withDomain(written.argument, domain)
        : written.argument;
    if (lookup?.of !== "names" || argument === undefined) {
      return Promise.resolve({ path: item, entries: [] });
    }
    const path = lookup.nameOf(argument, directory);
    const key = `${written.scheme}:${path}`;
    const known = this.#read.get(key);
    if (known !== undefined) return known;
    const reading = this.#survey(path, lookup);
    this.#read.set(key, reading);
    return reading;
  }

  async #survey(path: string, lookup: NameLookup): Promise<Read> {
    const { spool_directory: spoolDirectory } = this.#configuration.relay;
    const surveyed = await lookup.survey?.(path, spoolDirectory);
    for (const doubt of surveyed?.doubts ?? []) this.problems.add(doubt);
    return { path, entries: surveyed?.entries ?? [] };
  }
}
