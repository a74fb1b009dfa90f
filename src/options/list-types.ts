// Options that are lists to match against: domains, local parts, hosts. The meaning of the items is defined in
// src/lists/. Here is only the check of their syntax. The loader checks that a list called "+name" exists, and it checks
// lookups, because it has the table of them.

import { hostItemProblem } from "../lists/host-items.ts";
import { parseLookup } from "../lists/lookup.ts";
import { parseDomain } from "../mail/address.ts";
import { list } from "./option-types.ts";
import { marked, type Option, parsedText } from "./option.ts";

/** Items: "example.com", "*.example.com", "*", "+name", a lookup ("lsearch:FILE"), each with an optional "!" before it. */
export function domainList(doc: string): Option<readonly string[]> {
  return list(doc, domainItemProblem, {
    type: "list of domains",
    refersTo: "domains",
    lookups: "names",
  });
}

/**
 * Items: "bob", "*", a lookup ("lsearch:FILE"), each with an optional "!" before it. `domains` names the list of domains
 * beside it, whose match is `{domain}` in a lookup.
 */
export function localPartList(doc: string, domains?: string): Option<readonly string[]> {
  const option = list(doc, localPartItemProblem, { type: "list of local parts", lookups: "names" });
  return domains === undefined ? option : marked({ domainOf: domains }, option);
}

/** One lookup of names by itself: "lsearch:FILE". */
export function lookupItem(doc: string): Option<string> {
  const about = { doc, lookups: "names", is: 'a lookup like "lsearch:FILE"' } as const;
  return parsedText("lookup", about, (written) =>
    parseLookup(written) === undefined ? undefined : written,
  );
}

/** Items: address, CIDR, a lookup ("spf:DOMAIN"), "+name", each with an optional "!" before it. */
export function hostList(doc: string): Option<readonly string[]> {
  return list(doc, hostItemProblem, {
    type: "list of hosts",
    refersTo: "hosts",
    lookups: "hosts",
  });
}

/** Returns the problem of one item of a list of domains; undefined for a valid item, and for a lookup. */
export function domainItemProblem(item: string): string | undefined {
  const bare = withoutNegation(item);
  if (bare === "*") return undefined;
  if (bare.startsWith("+")) return /^\+\S+$/.test(bare) ? undefined : "names no list";
  if (parseLookup(bare) !== undefined) return undefined;
  const domain = bare.startsWith("*.") ? bare.slice(2) : bare;
  if (domain.includes("@")) return "is an address; a domain is wanted here";
  const canonical = parseDomain(domain);
  if (canonical === undefined) return notOneName(bare) ?? "is no domain";
  return canonical === domain.toLowerCase() ? undefined : `must be written as "${canonical}"`;
}

function localPartItemProblem(item: string): string | undefined {
  const bare = withoutNegation(item);
  if (bare === "") return "is empty";
  if (parseLookup(bare) !== undefined) return undefined;
  if (bare.startsWith("+")) return "cannot be the name of a list: there are none of local parts";
  if (bare.includes("@")) return 'is an address; what stands before the "@" is wanted here';
  return bare === "*" ? undefined : notOneName(bare);
}

/** Returns the problem of an item in the style of Exim's lists, which our lists write in another way or do not have. */
function notOneName(bare: string): string | undefined {
  if (bare !== bare.trim()) return "has white space around it";
  const [, scheme, argument] = /^([a-z][a-z0-9-]*);(.*)$/s.exec(bare) ?? [];
  if (scheme !== undefined) return `must be written as "${scheme}:${argument?.trim()}"`;
  if (/[\s,:]/.test(bare)) return 'is not one item; several are written ["one", "two"]';
  if (bare.startsWith("/")) return `is a file; names in a file are "lsearch:${bare}"`;
  if (bare.startsWith("^")) return "is a regular expression, and there are none here";
  if (bare.startsWith(".")) return `begins with a dot; subdomains are "*${bare}"`;
  return bare.includes("*")
    ? 'has a "*" that is neither alone nor in front of a ".domain"'
    : undefined;
}

function withoutNegation(item: string): string {
  return item.startsWith("!") ? item.slice(1) : item;
}
