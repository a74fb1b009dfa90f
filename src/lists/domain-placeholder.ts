// `{domain}` in an item of a list of local parts: "lsearch:accounts/{domain}" looks up in one file for each domain. The
// value is the canonical key that the list of domains beside it has matched.
//
// Invariant: the value is one safe name of a file, also if a pattern like "*.example.com" has matched a domain that a
// stranger chose.

import { parseDomain } from "../mail/address.ts";

const PLACEHOLDER = "{domain}";

export function hasPlaceholder(text: string): boolean {
  return text.includes(PLACEHOLDER);
}

/** The text with the domain in place of `{domain}`; undefined if the domain is not safe in the name of a file. */
export function withDomain(text: string, domain: string): string | undefined {
  return SAFE.test(domain) ? text.replaceAll(PLACEHOLDER, domain) : undefined;
}

/** The named lists of [domains]; undefined for a name that does not exist. */
type Named = (name: string) => readonly string[] | undefined;

/**
 * The item once for each domain that `beside` names as it is, in place of `{domain}`. Patterns and lookups in `beside`
 * name none. An item without `{domain}` is returned as it is.
 */
export function itemsOfDomains(item: string, beside: readonly string[], named: Named): string[] {
  if (!hasPlaceholder(item)) return [item];
  return literalsIn(beside, named, new Set()).flatMap((domain) => withDomain(item, domain) ?? []);
}

function literalsIn(items: readonly string[], named: Named, seen: Set<string>): string[] {
  return items.flatMap((item) => {
    if (!item.startsWith("+")) return parseDomain(item) ?? [];
    if (seen.has(item)) return [];
    seen.add(item);
    return literalsIn(named(item.slice(1)) ?? [], named, seen);
  });
}

/** Canonical domains, and the names of other keys: no slash, no dot in front, at most 253 octets. */
const SAFE = /^[a-z0-9_-][a-z0-9_.-]{0,252}$/;
