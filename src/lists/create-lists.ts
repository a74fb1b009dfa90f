// Makes matchers from the texts of the configuration. All lists that name a source share it. If the relay passes
// shared sources, the lists of other generations share them too.

import type { Resolver } from "../dns/dns.ts";
import type { Closable } from "../base/shared.ts";
import { hasPlaceholder, itemsOfDomains } from "./domain-placeholder.ts";
import { parseHostItem } from "./host-items.ts";
import { hostList, type HostScan, hostScan } from "./host-lists.ts";
import { HostSources } from "./host-sources.ts";
import type { Lists } from "./lists.ts";
import {
  type Acceptance,
  type HostLookup,
  type HostSource,
  type HostSourceDescription,
  type Lookup,
  type Lookups,
  type NameLookup,
  type NameServices,
  type NameSource,
  parseLookup,
} from "./lookup.ts";
import { NameSources } from "./name-sources.ts";
import { domainItem, localPartItem, scan, type TextItem } from "./text-lists.ts";

/** Sources of domains that only a pattern matches, in one generation. */
const OF_DOMAINS_MAX = 100;

type NamedLists = Readonly<Record<string, readonly string[]>>;

export interface ListParts extends NameServices {
  readonly lookups: Lookups;
  /** The [domains] of the configuration; `hosts` are its [hosts]. */
  readonly domains: NamedLists;
  readonly hosts: NamedLists;
  /** The directory to which relative file names refer. */
  readonly configDirectory: string;
  /** Values of entries of local parts may be addresses, in items without `{domain}` too. Default: false. */
  readonly hasAddressValues?: boolean;
  readonly resolver: Resolver;
  /** Milliseconds between two refreshes of the sources of hosts, varied by up to a tenth. Default: one hour. */
  readonly refreshInterval?: number;
  /** Sources shared with other lists. Absent: these lists have sources of their own. */
  readonly nameSources?: NameSources;
  readonly hostSources?: HostSources;
}

export interface HostListDescription {
  readonly name: string;
  readonly items: readonly string[];
  /** All lookups of the list, nested lists included. */
  readonly lookups: readonly HostSourceDescription[];
}

export interface ListsWithRefresh extends Lists {
  /** Refreshes all sources of hosts now and regularly from now on, and starts the sources of names. Never rejects. */
  refresh(): Promise<void>;
  /** Believes every source as it is, unless it has no entry. Resolves to the sources that were in doubt. */
  accept(): Promise<readonly Acceptance[]>;
  /** A list of [hosts]; undefined if [hosts] has no such name. */
  describe(name: string): HostListDescription | undefined;
  /** Refreshes the sources of a list of [hosts]. False if one of them has given no answer. */
  refreshHosts(name: string): Promise<boolean>;
  /** The sources of the lookups in a list of hosts, each once. */
  sources(items: readonly string[]): readonly HostSourceDescription[];
  close(): Promise<void>;
}

export function createLists(parts: ListParts): ListsWithRefresh {
  const hostSources = parts.hostSources ?? new HostSources(parts);
  const own = new OwnSources(parts, parts.nameSources ?? new NameSources(parts), hostSources);
  const names = (scheme: string, argument: string) => own.names(scheme, argument);
  const ofDomain = (scheme: string, argument: string) => own.ofDomain(scheme, argument);
  const hosts = (scheme: string, argument: string) => own.hosts(scheme, argument);
  const domainsNamed: (name: string) => readonly TextItem[] = named(parts.domains, (texts) =>
    texts.map((text) => domainItem(text, domainSources)),
  );
  const hostsNamed: (name: string) => HostScan = named(parts.hosts, (texts) =>
    hostScan(texts, { lookup: hosts, named: hostsNamed }),
  );
  const domainsWritten = (name: string) =>
    Object.hasOwn(parts.domains, name) ? parts.domains[name] : undefined;
  const { hasAddressValues = false } = parts;
  const found = { lookup: names, lookupOfDomain: ofDomain, named: domainsNamed };
  const domainSources = { ...found, hasAddressValues };

  return {
    lookup(item) {
      const written = parseLookup(item);
      if (written === undefined) throw new Error(`${JSON.stringify(item)} is not a lookup`);
      return names(written.scheme, written.argument);
    },
    domains(texts) {
      const items = texts.map((text) => domainItem(text, domainSources));
      return { match: (domain) => scan(items, domain) };
    },
    localParts(texts, beside = []) {
      const items = texts.map((text) => localPartItem(text, domainSources));
      for (const text of texts.filter(hasPlaceholder)) {
        for (const item of itemsOfDomains(text.replace(/^!/, ""), beside, domainsWritten)) {
          const written = parseLookup(item);
          if (written !== undefined) names(written.scheme, written.argument);
        }
      }
      return { match: (localPart, domain) => scan(items, localPart, domain) };
    },
    hosts: (texts) => hostList(texts, { lookup: hosts, named: hostsNamed }),
    async refresh() {
      own.begin();
      await hostSources.refresh();
    },
    accept: () => own.accept(),
    ...describedHosts(parts.hosts, hosts),
    async close() {
      if (parts.hostSources === undefined) await hostSources.close();
      await own.leave();
    },
  };
}

/** The content of the lists of hosts. */
function describedHosts(
  lists: NamedLists,
  open: (scheme: string, argument: string) => HostSource,
): Pick<ListsWithRefresh, "describe" | "refreshHosts" | "sources"> {
  const sourcesOf = (items: readonly string[]) => [...new Set(lookupsIn(items, lists, open))];
  const sources = (items: readonly string[]) => sourcesOf(items).map((source) => source.describe());
  return {
    describe(name) {
      const items = Object.hasOwn(lists, name) ? lists[name] : undefined;
      return items === undefined ? undefined : { name, items, lookups: sources(items) };
    },
    async refreshHosts(name) {
      const refreshed = sourcesOf([`+${name}`]).map((source) => source.refresh());
      return !(await Promise.all(refreshed)).includes(false);
    },
    sources,
  };
}

/** The sources that these lists hold, each once. */
class OwnSources {
  readonly #parts: Pick<ListParts, "lookups" | "configDirectory">;
  readonly #nameSources: NameSources;
  readonly #hostSources: HostSources;
  readonly #names = new Map<string, NameSource>();
  readonly #hosts = new Map<string, HostSource>();
  /** Sources whose names depend on a domain that a pattern matched: the newest ones. */
  readonly #ofDomains = new Map<string, Closable & Pick<NameSource, "find">>();
  readonly #left: (() => Promise<void>)[] = [];

  constructor(
    parts: Pick<ListParts, "lookups" | "configDirectory">,
    nameSources: NameSources,
    hostSources: HostSources,
  ) {
    this.#parts = parts;
    this.#nameSources = nameSources;
    this.#hostSources = hostSources;
  }

  names(scheme: string, argument: string): NameSource {
    const { lookup, name } = this.#found(scheme, argument, isOfNames);
    return remembered(this.#names, `${scheme}:${name}`, () => {
      this.#left.push(() => this.#nameSources.leave(lookup, name));
      return this.#nameSources.take(lookup, name);
    });
  }

  /**
   * The source for an argument that a domain is part of. A stranger may choose the domain, if a pattern matches it, so
   * the number of such sources is limited.
   */
  ofDomain(scheme: string, argument: string): Pick<NameSource, "find"> {
    const { lookup, name } = this.#found(scheme, argument, isOfNames);
    const key = `${scheme}:${name}`;
    const known = this.#names.get(key) ?? this.#ofDomains.get(key);
    if (known !== undefined) return known;
    const [[oldest, former] = []] = this.#ofDomains;
    if (oldest !== undefined && former !== undefined && this.#ofDomains.size >= OF_DOMAINS_MAX) {
      this.#ofDomains.delete(oldest);
      void former.close();
    }
    const source = this.#nameSources.take(lookup, name);
    const close = () => this.#nameSources.leave(lookup, name);
    const held = { find: (keys: readonly string[]) => source.find(keys), close };
    this.#ofDomains.set(key, held);
    return held;
  }

  hosts(scheme: string, argument: string): HostSource {
    const { lookup, name } = this.#found(scheme, argument, isOfHosts);
    return remembered(this.#hosts, `${scheme}:${name}`, () => {
      this.#left.push(() => this.#hostSources.leave(lookup, name));
      return this.#hostSources.take(lookup, name);
    });
  }

  /** The lookup and the name of its source. The loader has checked that the lookup exists. */
  #found<Kind extends Lookup>(
    scheme: string,
    argument: string,
    isKind: (lookup: Lookup) => lookup is Kind,
  ): { readonly lookup: Kind; readonly name: string } {
    const { lookups, configDirectory } = this.#parts;
    const lookup = lookups.get(scheme);
    if (lookup === undefined || !isKind(lookup)) throw new Error(`there is no lookup ${scheme}:`);
    return { lookup, name: lookup.nameOf(argument, configDirectory) };
  }

  begin(): void {
    for (const source of this.#names.values()) source.begin?.();
  }

  async accept(): Promise<readonly Acceptance[]> {
    const accepted = await Promise.all(
      Array.from(this.#names.values(), async (source) => source.accept?.()),
    );
    return accepted.filter((one) => one !== undefined);
  }

  async leave(): Promise<void> {
    this.#names.clear();
    this.#hosts.clear();
    const ofDomains = [...this.#ofDomains.values()];
    this.#ofDomains.clear();
    await Promise.all(ofDomains.map((source) => source.close()));
    await Promise.all(this.#left.splice(0).map((leave) => leave()));
  }
}

function isOfNames(lookup: Lookup): lookup is NameLookup {
  return lookup.of === "names";
}

function isOfHosts(lookup: Lookup): lookup is HostLookup {
  return lookup.of === "hosts";
}

/** Named lists are compiled when they are first used. The loader has checked that they exist. */
function named<Compiled>(
  lists: NamedLists,
  compile: (texts: readonly string[]) => Compiled,
): (name: string) => Compiled {
  const compiled = new Map<string, Compiled>();
  const underway = new Set<string>();
  return (name) =>
    remembered(compiled, name, () => {
      if (!Object.hasOwn(lists, name)) throw new Error(`there is no list +${name}`);
      if (underway.has(name)) throw new Error(`the list +${name} contains itself`);
      underway.add(name);
      const list = compile(lists[name] ?? []);
      underway.delete(name);
      return list;
    });
}

/** The sources of every lookup in these items and in the named lists that they contain. */
function lookupsIn(
  items: readonly string[],
  lists: NamedLists,
  open: (scheme: string, argument: string) => HostSource,
  seen: Set<string> = new Set(),
): HostSource[] {
  return items.flatMap((text) => {
    const item = parseHostItem(text);
    if (item?.kind === "lookup") return [open(item.scheme, item.argument)];
    if (item?.kind !== "list" || seen.has(item.name)) return [];
    seen.add(item.name);
    return lookupsIn(lists[item.name] ?? [], lists, open, seen);
  });
}

function remembered<Key, Value>(map: Map<Key, Value>, key: Key, make: (key: Key) => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = make(key);
    map.set(key, value);
  }
  return value;
}
