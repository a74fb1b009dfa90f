// Makes matchers out of the texts of the configuration. Files and `spf:` answers are shared by all lists that name
// them, those of other generations too where the relay has given what they share.

import { resolve } from "node:path";
import { given } from "../base/given.ts";
import type { Clock } from "../base/clock.ts";
import type { Resolver } from "../dns/dns.ts";
import type { Log } from "../observe/log.ts";
import { Shared } from "../base/shared.ts";
import type { BeliefParts } from "./belief.ts";
import { parseHostItem } from "./host-items.ts";
import { hostList, type HostScan, hostScan } from "./host-lists.ts";
import type { Lists, Lsearch } from "./lists.ts";
import { type Acceptance, LsearchFile, type LsearchParts } from "./lsearch.ts";
import type { SpfDescription, SpfList } from "./spf-list.ts";
import { SpfLists } from "./spf-lists.ts";
import { domainItem, localPartItem, scan, type TextItem } from "./text-lists.ts";

type NamedLists = Readonly<Record<string, readonly string[]>>;

export interface ListParts extends BeliefParts {
  /** [domains] and [hosts] of the configuration. */
  readonly domains: NamedLists;
  readonly hosts: NamedLists;
  /** Where relative files start. */
  readonly configDirectory: string;
  readonly log: Log;
  readonly resolver: Resolver;
  readonly clock: Clock;
  /** Where the last good lists and answers are kept. Without it they are held in memory only. */
  readonly stateDirectory?: string;
  /** Milliseconds between two refreshes of `spf:` lists, give or take a tenth. An hour when not given. */
  readonly refreshInterval?: number;
  /** Files and `spf:` lists that others have too. These lists have their own when not given. */
  readonly files?: ListFiles;
  readonly spf?: SpfLists;
}

/** The lsearch files of all lists that have them, by absolute path. */
export class ListFiles {
  readonly #parts: LsearchParts;
  readonly #files = new Shared<LsearchFile>();

  constructor(parts: BeliefParts) {
    this.#parts = { ...parts, late: new Set() };
  }

  /** `leave` must follow. */
  take(path: string): LsearchFile {
    return this.#files.take(path, () => new LsearchFile(path, this.#parts));
  }

  leave(path: string): Promise<void> {
    return this.#files.leave(path);
  }
}

export function createSpfLists(
  parts: BeliefParts & Pick<ListParts, "resolver" | "refreshInterval">,
): SpfLists {
  const { clock, log, resolver, stateDirectory, readOnly = false, refreshInterval } = parts;
  const directory = given({ directory: stateDirectory });
  return new SpfLists({ clock, log, resolver, ...directory, keep: !readOnly, refreshInterval });
}

interface HostListDescription {
  readonly name: string;
  readonly items: readonly string[];
  /** Every `spf:` of the list, nested lists included. */
  readonly spf: readonly SpfDescription[];
}

export interface ListsWithRefresh extends Lists {
  /** Resolves every `spf:` list now, and again by and by, and reads every file. Never rejects. */
  refresh(): Promise<void>;
  /** Believes every file as it is, unless it has no entry. Those that were believed already are left out. */
  accept(): Promise<readonly Acceptance[]>;
  /** A list of [hosts]; undefined when there is none of this name. */
  describe(name: string): HostListDescription | undefined;
  close(): Promise<void>;
}

export function createLists(parts: ListParts): ListsWithRefresh {
  const { configDirectory, files = new ListFiles(parts), spf = createSpfLists(parts) } = parts;
  const ownFiles = new Map<string, LsearchFile>();
  const ownSpf = new Map<string, SpfList>();
  const lsearch = (file: string): Lsearch =>
    remembered(ownFiles, resolve(configDirectory, file), (path) => files.take(path));
  const spfOf = (domain: string) => remembered(ownSpf, domain, (name) => spf.take(name));
  const domainsNamed: (name: string) => readonly TextItem[] = named(parts.domains, (texts) =>
    texts.map((text) => domainItem(text, { lsearch, named: domainsNamed })),
  );
  const hostsNamed: (name: string) => HostScan = named(parts.hosts, (texts) =>
    hostScan(texts, { spf: spfOf, named: hostsNamed }),
  );
  const domainSources = { lsearch, named: domainsNamed };

  return {
    lsearch,
    domains(texts) {
      const items = texts.map((text) => domainItem(text, domainSources));
      return { match: (domain) => scan(items, domain) };
    },
    localParts(texts) {
      const items = texts.map((text) => localPartItem(text, domainSources));
      return { match: (localPart) => scan(items, localPart) };
    },
    hosts: (texts) => hostList(texts, { spf: spfOf, named: hostsNamed }),
    async refresh() {
      // What a file holds now is what its successor is compared with, asked for or not.
      for (const file of ownFiles.values()) void file.read();
      await spf.refresh();
    },
    async accept() {
      const accepted = await Promise.all(Array.from(ownFiles.values(), (file) => file.accept()));
      return accepted.filter((one) => one !== undefined);
    },
    describe(name) {
      const items = Object.hasOwn(parts.hosts, name) ? parts.hosts[name] : undefined;
      if (items === undefined) return undefined;
      const domains = new Set(spfDomains(name, parts.hosts));
      return { name, items, spf: [...domains].map((domain) => spfOf(domain).describe()) };
    },
    async close() {
      if (parts.spf === undefined) await spf.close();
      const left = [
        ...Array.from(ownFiles.keys(), (path) => files.leave(path)),
        ...Array.from(ownSpf.keys(), (domain) => spf.leave(domain)),
      ];
      ownFiles.clear();
      ownSpf.clear();
      await Promise.all(left);
    },
  };
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

function remembered<Key, Value>(map: Map<Key, Value>, key: Key, make: (key: Key) => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = make(key);
    map.set(key, value);
  }
  return value;
}
