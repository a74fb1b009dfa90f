// A lookup: where the items of a list come from that stand in it as SCHEME:ARGUMENT. The table of lookups is handed to
// the loader and to the lists, as those of routers and transports are; a part may add to it.
//
// Invariants: what a lookup cannot say is never "not there": a source of names that throws or does not answer defers
// (name-sources.ts), and a list with a source of hosts that throws lets in nobody (host-lists.ts). So it is by
// construction, whatever the lookup is.

import type { Address } from "../base/cidr.ts";
import type { Clock } from "../base/clock.ts";
import type { MaybePromise } from "../base/maybe-promise.ts";
import type { Resolver } from "../dns/dns.ts";
import type { Log } from "../observe/log.ts";

export type Lookup = NameLookup | HostLookup;

/** By scheme. */
export type Lookups = ReadonlyMap<string, Lookup>;

interface LookupKind {
  /** What stands before the colon: a letter, then letters, digits and hyphens, all lower case. */
  readonly scheme: string;
  /** How an item reads: "lsearch:FILE". */
  readonly shown: string;
  /** For docs/config.md: what follows `lsearch:FILE`. */
  readonly doc: string;
  /** What is wrong with an argument, in one clause: "names no file"; undefined when nothing is. */
  problem(argument: string): string | undefined;
  /** The one name of a source, by which all lists share it. `directory` is that of the configuration. */
  nameOf(argument: string, directory: string): string;
}

/** For lists of domains and of local parts. */
export interface NameLookup extends LookupKind {
  readonly of: "names";
  open(name: string, services: NameServices): NameSource;
  /** What `relayctl check` sees in a source. Absent: nothing. `spoolDirectory` is where a relay keeps what it believes. */
  survey?(name: string, spoolDirectory: string): Promise<ListSurvey>;
}

/** For lists of hosts. */
export interface HostLookup extends LookupKind {
  readonly of: "hosts";
  /** Its hosts send for others too: a relay rule for them wants a proof. */
  readonly isShared?: true;
  open(name: string, services: HostServices): HostSource;
}

export interface NameServices {
  readonly clock: Clock;
  readonly log: Log;
  /** The spool directory. Without it what is known is known as long as the process lives. */
  readonly stateDirectory?: string;
  /** Use what is kept there, and write nothing: for a dry run. */
  readonly readOnly?: boolean;
  /** Sources that are late at present, among all that one recipient may be looked up in. */
  readonly late?: Set<string>;
}

export interface HostServices extends Omit<NameServices, "late"> {
  readonly resolver: Resolver;
}

export type Found =
  /** The first of the keys that the source has, and what stands there. */
  | { readonly kind: "found"; readonly key: string; readonly value: string }
  /** `doubt` is why the source is not believed: then nothing is known of these keys. */
  | { readonly kind: "none"; readonly doubt?: string }
  /** Why it cannot be asked. */
  | { readonly kind: "error"; readonly error: string };

export interface NameSource {
  /** Keys in lower case, the one that is meant most first. */
  find(keys: readonly string[]): MaybePromise<Found>;
  /** The relay begins to serve: what the source holds now is what comes later is compared with. */
  begin?(): void;
  /** Believes the source as it is; undefined when it is believed already. */
  accept?(): Promise<Acceptance | undefined>;
  close(): Promise<void>;
}

/** What became of a list that an operator wants to be believed as it is. */
export interface Acceptance {
  readonly path: string;
  /** Why it cannot be; absent when it is believed. */
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
  /** A line each, with the file in front. */
  readonly doubts: readonly string[];
  /** Lines that begin with white space and continue an entry, or nothing: names there are no names. */
  readonly indented: readonly { readonly line: number; readonly text: string }[];
}

export interface HostSource {
  /** The entry that lets the address in. From memory: who a client is cannot wait. */
  find(address: Address): string | undefined;
  /** True when there is a new answer; what was known stays when there is none. */
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
  /** What of the answer is not followed. */
  readonly ignored: readonly string[];
  /** Why the last refresh failed; absent when it did not. */
  readonly error?: string;
}

export function lookupTable(lookups: Iterable<Lookup>): Lookups {
  return new Map(Array.from(lookups, (lookup) => [lookup.scheme, lookup]));
}

/** An item without its "!". Undefined when it is no lookup. */
export function parseLookup(
  positive: string,
): { readonly scheme: string; readonly argument: string } | undefined {
  const [, scheme, argument] = /^([a-z][a-z0-9-]*):(.*)$/s.exec(positive) ?? [];
  return scheme === undefined || argument === undefined ? undefined : { scheme, argument };
}

/** What is wrong with a lookup in a list, in one clause; undefined when nothing is. */
export function lookupProblem(
  { scheme, argument }: { readonly scheme: string; readonly argument: string },
  of: Lookup["of"],
  lookups: Lookups,
): string | undefined {
  const known = lookups.values().filter((lookup) => lookup.of === of);
  const lookup = lookups.get(scheme);
  if (lookup?.of === of) return lookup.problem(argument);
  const there = Array.from(known, ({ shown }) => `"${shown}"`).join(", ");
  return `is no lookup that there is in such a list; there is ${there}`;
}
