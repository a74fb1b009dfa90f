// Options that are lists to match against: domains, local parts, hosts. What the items mean is in src/lists/;
// here is only what can be known to be wrong before anything runs. That "+name" exists is checked by the loader.

import { hostItemProblem } from "../lists/host-items.ts";
import { parseDomain } from "../mail/address.ts";
import { list } from "./option-types.ts";
import type { Option } from "./option.ts";

/** "example.com", "*.example.com", "*", "+name", "lsearch:FILE", each maybe after "!". */
export function domainList(doc: string): Option<readonly string[]> {
  return list(doc, domainItemProblem, { type: "list of domains", refersTo: "domains" });
}

/** "bob", "*", "lsearch:FILE", each maybe after "!". */
export function localPartList(doc: string): Option<readonly string[]> {
  return list(doc, localPartItemProblem, { type: "list of local parts" });
}

/** Address, CIDR, "spf:DOMAIN", "+name", each maybe after "!". */
export function hostList(doc: string): Option<readonly string[]> {
  return list(doc, hostItemProblem, { type: "list of hosts", refersTo: "hosts" });
}

/** What is wrong with one item of a list of domains, if anything. */
export function domainItemProblem(item: string): string | undefined {
  const bare = withoutNegation(item);
  if (bare === "*") return undefined;
  if (bare.startsWith("+")) return /^\+\S+$/.test(bare) ? undefined : "names no list";
  if (isLookup(bare)) return lookupProblem(bare);
  const domain = bare.startsWith("*.") ? bare.slice(2) : bare;
  if (domain.includes("@")) return "is an address; a domain is wanted here";
  const canonical = parseDomain(domain);
  if (canonical === undefined) return notOneName(bare) ?? "is no domain";
  return canonical === domain.toLowerCase() ? undefined : `must be written as "${canonical}"`;
}

function localPartItemProblem(item: string): string | undefined {
  const bare = withoutNegation(item);
  if (bare === "") return "is empty";
  if (isLookup(bare)) return lookupProblem(bare);
  if (bare.startsWith("+")) return "cannot be the name of a list: there are none of local parts";
  if (bare.includes("@")) return 'is an address; what stands before the "@" is wanted here';
  return bare === "*" ? undefined : notOneName(bare);
}

/** What Exim's lists have, and ours have in another way or not at all. */
function notOneName(bare: string): string | undefined {
  if (bare !== bare.trim()) return "has white space around it";
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

/** A colon is in no domain; a local part that has one must be asked for by a lookup. */
function isLookup(item: string): boolean {
  return /^[a-z]+[:;]/.test(item);
}

function lookupProblem(item: string): string | undefined {
  const file = item.slice("lsearch:".length);
  if (item.startsWith("lsearch;")) return `must be written as "lsearch:${file.trim()}"`;
  if (!item.startsWith("lsearch:")) return 'is no lookup that we know; "lsearch:FILE" is';
  if (file === "") return "names no file";
  return file === file.trim() ? undefined : "has white space around the name of the file";
}
