// A lookup is the source of the items that a list writes as SCHEME:ARGUMENT. The loader and the lists are given the
// table of lookups, like those of routers and transports; a part may add to it.
//
// Invariants:
// - A lookup that gives no answer never means "not there". If a source of names throws or does not answer, the mail
//   is deferred (name-sources.ts). If a source of hosts throws, its list matches no client (host-lists.ts).
// - The callers ensure this for every lookup.

import type { Address } from "../base/cidr.ts";
import type { Clock } from "../base/clock.ts";
import type { MaybePromise } from "../base/maybe-promise.ts";
import type { Resolver } from "../dns/dns.ts";
import type { Log } from "../observe/log.ts";

export type Lookup = NameLookup | HostLookup;

/** All lookups by scheme. */
export type Lookups = ReadonlyMap<string, Lookup>;

interface LookupKind {
  /** The text before the colon: a letter, then letters, digits and hyphens, all lower case. */
  readonly scheme: string;
  /** The form of an item, for messages: "lsearch:FILE". */
  readonly shown: string;
  /** For docs/config.md: the sentence that follows `lsearch:FILE`. */
  readonly doc: string;
  /** The problem of an argument, in one clause: "names no file"; undefined if it is valid. */
  problem(argument: string): string | undefined;
  /**
   * The name of a source. All lists that use the same name share the source. `directory` is that of the
   * configuration.
   */
  nameOf(argument: string, directory: string): string;
}

/** For lists of domains and of local parts. */
export interface NameLookup extends LookupKind {
  readonly of: "names";
  open(name: string, services: NameServices): NameSource;
  /**
   * The contents of a source, for `relayctl check`. Absent: a source shows nothing. `spoolDirectory` is the directory
   * with the relay's copies of believed lists.
   */
  survey?(name: string, spoolDirectory: string): Promise<ListSurvey>;
}

/** For lists of hosts. */
export interface HostLookup extends LookupKind {
  readonly of: "hosts";
  /**
   * Its hosts also send for other organisations. A relay rule for them without a proof or certificate gets a warning.
   */
  readonly isShared?: true;
  open(name: string, services: HostServices): HostSource;
}

export interface NameServices {
  readonly clock: Clock;
  readonly log: Log;
  /** The spool directory. Absent: a source remembers its state only while the process runs. */
  readonly stateDirectory?: string;
  /** Read the state that is kept there, and write nothing: for a dry run. */
  readonly readOnly?: boolean;
  /** Sources that do not answer in time at present, shared by all sources in which one recipient is looked up. */
  readonly late?: Set<string>;
}

export interface HostServices extends Omit<NameServices, "late"> {
  readonly resolver: Resolver;
}

export type Found =
  /** The first of the keys that the source has, and its value. */
  | { readonly kind: "found"; readonly key: string; readonly value: string }
  /**
   * The source has none of the keys. If `doubt` gives a reason why the source is not believed, it may have lost them.
   */
  | { readonly kind: "none"; readonly doubt?: string }
  /** The source cannot be asked, and why. */
  | { readonly kind: "error"; readonly error: string };

export interface NameSource {
  /** Finds one of the keys, which are in lower case and in order of preference. */
  find(keys: readonly string[]): MaybePromise<Found>;
  /** Called when the relay begins to serve: the source reads its content, with which it compares later content. */
  begin?(): void;
  /** Believes the source as it is; undefined if it was believed already. */
  accept?(): Promise<Acceptance | undefined>;
  close(): Promise<void>;
}

/** The result of an operator's order to believe a list as it is. */
export interface Acceptance {
  readonly path: string;
  /** Why the list cannot be believed; absent if it is. */
  readonly why?: string;
}

export interface ListEntry {
  readonly key: string;
  readonly value: string;
  /** Counted from 1. */
  readonly line: number;
}

export interface ListSurvey {
  readonly entries: readonly ListEntry[];
  /** One line each, beginning with the name of the file. */
  readonly doubts: readonly string[];
  /** Lines that begin with white space: they continue an entry, so a name there is not an entry. */
  readonly indented: readonly { readonly line: number; readonly text: string }[];
}

export interface HostSource {
  /** The entry that lets the address in. It comes from memory, because the check of a client cannot wait. */
  find(address: Address): string | undefined;
  /** Fetches a new answer. True if it came; otherwise the last answer stays. */
  refresh(): Promise<boolean>;
  describe(): HostSourceDescription;
  close(): Promise<void>;
}

export interface HostSourceDescription {
  readonly name: string;
  readonly source: "dns" | "disk" | "none";
  /** Milliseconds since the epoch; absent without an answer. */
  readonly fetchedAt?: number;
  readonly entries: readonly string[];
  /** The parts of the answer that the relay ignores. */
  readonly ignored: readonly string[];
  /** The domains whose records make up the answer, if there is more than the source itself to name. */
  readonly records?: readonly string[];
  /** The error of the last refresh; absent if it succeeded. */
  readonly error?: string;
}

export function lookupTable(lookups: Iterable<Lookup>): Lookups {
  return new Map(Array.from(lookups, (lookup) => [lookup.scheme, lookup]));
}

/** Parses an item without its "!". Undefined if it is not a lookup. */
export function parseLookup(
  positive: string,
): { readonly scheme: string; readonly argument: string } | undefined {
  const [, scheme, argument] = /^([a-z][a-z0-9-]*):(.*)$/s.exec(positive) ?? [];
  return scheme === undefined || argument === undefined ? undefined : { scheme, argument };
}

/** The problem of a lookup in a list, in one clause; undefined if it is valid. */
export function lookupProblem(
  { scheme, argument }: { readonly scheme: string; readonly argument: string },
  of: Lookup["of"],
  lookups: Lookups,
): string | undefined {
  const known = lookups.values().filter((lookup) => lookup.of === of);
  const lookup = lookups.get(scheme);
  if (lookup?.of === of) return lookup.problem(argument);
  const there = Array.from(known, ({ shown }) => `"${shown}"`).join(" or ");
  return `is not a lookup for such a list; write ${there}`;
}

/** The key of a source, under which the lists that name it share it: "lsearch:accounts". */
export function sourceKey(
  { scheme }: Pick<NameLookup | HostLookup, "scheme">,
  name: string,
): string {
  return `${scheme}:${name}`;
}
