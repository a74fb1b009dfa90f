// The lists of the configuration, by what they match: domains, local parts, hosts. Semantics are Exim's:
// scanned left to right, the first match decides, "!" negates, and with no match the subject is in the list
// only if the last item was negative. A lookup that cannot be read is "defer", never "out"; of one that is not believed,
// so is what its last good list does not have.
//
// Doors: built-in.ts, create-lists.ts, events.ts, host-items.ts, host-sources.ts, list-survey.ts, lookup.ts,
// name-sources.ts, written-domain.ts.

import type { NameSource } from "./lookup.ts";
import type { MaybePromise } from "../base/maybe-promise.ts";

export type Match =
  /** `key` is the canonical text that the list vouches for, lower case; absent when only a "*" matched. */
  | { readonly kind: "in"; readonly key?: string; readonly why: string }
  | { readonly kind: "out"; readonly why: string }
  | { readonly kind: "defer"; readonly why: string };

export interface DomainList {
  /** `domain` in canonical form. */
  match(domain: string): MaybePromise<Match>;
}

export interface LocalPartList {
  /** Case does not matter; `alice+x` matches as `alice` does, unless it is listed itself. */
  match(localPart: string): MaybePromise<Match>;
}

export interface HostList {
  /** An IPv4 or IPv6 address; mapped IPv4 is unmapped first. Never throws: rubbish is "out". */
  match(address: string): Match;
}

/** Makes matchers from the texts in the configuration; "+name" was checked when it was loaded. */
export interface Lists {
  domains(items: readonly string[]): DomainList;
  localParts(items: readonly string[]): LocalPartList;
  hosts(items: readonly string[]): HostList;
  /** One lookup by itself: "lsearch:FILE", relative to the configuration; the same for all who ask for it. */
  lookup(item: string): Pick<NameSource, "find">;
}
