// The lists of the configuration, by what they match: domains, local parts, hosts. Their semantics are Exim's: a list
// is scanned from left to right, and the first match decides. "!" negates. Without a match the subject is in the list
// only if the last item is negative.
//
// If a lookup cannot be read, the result is "defer", never "out". If it is not believed, the result for a name that
// its last good list lacks is "defer" too.
//
// Doors: built-in.ts, create-lists.ts, domain-placeholder.ts, events.ts, host-items.ts, host-sources.ts, kept-list.ts,
// list-account.ts, list-content.ts, list-survey.ts, lookup.ts, lsearch-text.ts, name-sources.ts.

import type { NameSource } from "./lookup.ts";
import type { MaybePromise } from "../base/maybe-promise.ts";

export type Match =
  /**
   * `key` is the canonical text of the list, in lower case; absent if only a "*" matched. `domain` is that of an account
   * in another domain than the one that was looked up: the entry is "bob.smith: bob@example.com".
   */
  | { readonly kind: "in"; readonly key?: string; readonly domain?: string; readonly why: string }
  | { readonly kind: "out"; readonly why: string }
  | { readonly kind: "defer"; readonly why: string };

export interface DomainList {
  /** Matches a domain in canonical form. */
  match(domain: string): MaybePromise<Match>;
}

export interface LocalPartList {
  /**
   * Matches a local part, in any case. `alice+x` matches as `alice` does, unless it is listed itself. `domain` is the
   * canonical key of its domain, for items with `{domain}`. Without it, such an item defers.
   */
  match(localPart: string, domain?: string): MaybePromise<Match>;
}

export interface HostList {
  /**
   * Matches an IPv4 or IPv6 address; a mapped IPv4 address is unmapped first. Never throws: any other text is "out".
   */
  match(address: string): Match;
}

/** Makes matchers from the texts in the configuration. The loader has checked each "+name". */
export interface Lists {
  domains(items: readonly string[]): DomainList;
  /** `domains` are the items of the list of domains beside it, whose files are opened at once. */
  localParts(items: readonly string[], domains?: readonly string[]): LocalPartList;
  hosts(items: readonly string[]): HostList;
  /** One lookup by itself: "lsearch:FILE", relative to the configuration. All callers share it. */
  lookup(item: string): Pick<NameSource, "find">;
}
