// Makes matchers out of the texts of the configuration. Files and `spf:` answers are shared by all lists that
// name them; the `spf:` answers are refreshed on a timer from the first `refresh` until `close`.

import { resolve } from "node:path";
import type { Clock, Timer } from "../clock.ts";
import type { Resolver } from "../dns/resolver.ts";
import type { Log } from "../log.ts";
import { parseHostItem } from "./host-items.ts";
import { type HostMatcher, hostList, hostMatcher } from "./host-lists.ts";
import type { Lists } from "./lists.ts";
import { type Lsearch, openLsearch } from "./lsearch.ts";
import { type SpfDescription, SpfList } from "./spf-list.ts";
import { domainItem, localPartItem, scan, type TextItem } from "./text-lists.ts";

type NamedLists = Readonly<Record<string, readonly string[]>>;

export interface ListParts {
  /** [domains] and [hosts] of the configuration. */
  readonly domains: NamedLists;
  readonly hosts: NamedLists;
  /** Where relative files start. */
  readonly configDirectory: string;
  readonly log: Log;
  readonly resolver: Resolver;
  readonly clock: Clock;
  /** Where the last good answers of `spf:` lists are kept. Without it they are held in memory only. */
  readonly stateDirectory?: string;
  /** Read what is kept there, and write nothing: for a dry run. */
  readonly readOnly?: boolean;
  /** Milliseconds between two refreshes, give or take a tenth. An hour when not given. */
  readonly refreshInterval?: number;
}

interface HostListDescription {
  readonly name: string;
  readonly items: readonly string[];
  /** Every `spf:` of the list, nested lists included. */
  readonly spf: readonly SpfDescription[];
}

export interface ListsWithRefresh extends Lists {
  /** Resolves every `spf:` list now, and again by and by. Never throws: failures are logged and leave what was. */
  refresh(): Promise<void>;
  /** A list of [hosts]; undefined when there is none of this name. */
  describe(name: string): HostListDescription | undefined;
  close(): Promise<void>;
}

const HOUR = 3_600_000;
/** After a failure the next refresh comes so much sooner. */
const HURRY = 12;

export function createLists(parts: ListParts): ListsWithRefresh {
  const { configDirectory, log } = parts;
  const files = new Map<string, Lsearch>();
  const lsearch = (file: string): Lsearch =>
    remembered(files, resolve(configDirectory, file), (path) =>
      openLsearch(path, `lsearch:${file}`, log),
    );
  const spf = createSpfLists(parts);
  const domainsNamed: (name: string) => readonly TextItem[] = named(parts.domains, (text) =>
    domainItem(text, { lsearch, named: domainsNamed }),
  );
  const hostsNamed: (name: string) => readonly HostMatcher[] = named(parts.hosts, (text) =>
    hostMatcher(text, { spf: spf.of, named: hostsNamed }),
  );
  const domainSources = { lsearch, named: domainsNamed };

  return {
    domains(texts) {
      const items = texts.map((text) => domainItem(text, domainSources));
      return { match: (domain) => scan(items, domain) };
    },
    localParts(texts) {
      const items = texts.map((text) => localPartItem(text, domainSources));
      return { match: (localPart) => scan(items, localPart) };
    },
    hosts: (texts) =>
      hostList(texts.map((text) => hostMatcher(text, { spf: spf.of, named: hostsNamed }))),
    refresh: () => spf.refresh(),
    describe(name) {
      const items = Object.hasOwn(parts.hosts, name) ? parts.hosts[name] : undefined;
      if (items === undefined) return undefined;
      const domains = new Set(spfDomains(name, parts.hosts));
      return { name, items, spf: [...domains].map((domain) => spf.of(domain).describe()) };
    },
    close: () => spf.close(),
  };
}

/** Named lists are compiled when they are first used. The loader has checked that they exist. */
function named<Item>(
  lists: NamedLists,
  compile: (text: string) => Item,
): (name: string) => readonly Item[] {
  const compiled = new Map<string, readonly Item[]>();
  const underway = new Set<string>();
  return (name) =>
    remembered(compiled, name, () => {
      if (!Object.hasOwn(lists, name)) throw new Error(`there is no list +${name}`);
      if (underway.has(name)) throw new Error(`the list +${name} contains itself`);
      underway.add(name);
      const items = (lists[name] ?? []).map((text) => compile(text));
      underway.delete(name);
      return items;
    });
}

/** The domains of every `spf:` in a named list and in those that it contains. */
function spfDomains(name: string, lists: NamedLists, seen: Set<string> = new Set()): string[] {
  if (seen.has(name)) return [];
  seen.add(name);
  return (lists[name] ?? []).flatMap((text) => {
    const item = parseHostItem(text);
    if (item?.kind === "spf") return [item.domain];
    return item?.kind === "list" ? spfDomains(item.name, lists, seen) : [];
  });
}

function createSpfLists(parts: ListParts) {
  const { clock, log, resolver, stateDirectory, readOnly = false } = parts;
  const lists = new Map<string, SpfList>();
  const directory = stateDirectory === undefined ? {} : { directory: stateDirectory };
  let timer: Timer | undefined;
  let started = false;
  let closed = false;

  const refresh = async (): Promise<void> => {
    started = true;
    const fresh = await Promise.all([...lists.values()].map((list) => list.refresh()));
    if (closed) return;
    const interval = parts.refreshInterval ?? HOUR;
    const wait = fresh.includes(false) ? interval / HURRY : interval;
    timer?.cancel();
    timer = clock.after(wait * (0.9 + Math.random() * 0.2), () => void refresh());
  };
  return {
    of: (domain: string): SpfList =>
      remembered(lists, domain, () => {
        const list = new SpfList({ domain, resolver, clock, log, ...directory, keep: !readOnly });
        if (started) void list.refresh();
        return list;
      }),
    refresh,
    async close(): Promise<void> {
      closed = true;
      timer?.cancel();
      await Promise.all([...lists.values()].map((list) => list.close()));
    },
  };
}

function remembered<Key, Value>(map: Map<Key, Value>, key: Key, make: (key: Key) => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = make(key);
    map.set(key, value);
  }
  return value;
}
