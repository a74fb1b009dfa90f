// Parses the items of a host list: address, CIDR, lookup ("spf:DOMAIN"), "+other", "*", "!x". A host name is not
// allowed: the identity of a client must not depend on the answers of DNS at the moment.

import { coversFamily, parseNetwork, type Network } from "../base/cidr.ts";
import { parseLookup } from "./lookup.ts";

/** The beginning of an IPv6 address, valid or not. */
const ADDRESS = /^[0-9a-f]{1,4}:/i;

export type HostItem = { readonly negated: boolean; readonly text: string } & (
  | { readonly kind: "network"; readonly network: Network }
  | { readonly kind: "lookup"; readonly scheme: string; readonly argument: string }
  | { readonly kind: "list"; readonly name: string }
  | { readonly kind: "everybody" }
);

/** The problem of an item by itself, in one clause; undefined if it is valid, or a lookup. */
export function hostItemProblem(item: string): string | undefined {
  return parseHostItem(item) === undefined ? problemOf(item) : undefined;
}

export function parseHostItem(text: string): HostItem | undefined {
  const negated = text.startsWith("!");
  const positive = negated ? text.slice(1) : text;
  const base = { negated, text };
  if (positive === "*") return { ...base, kind: "everybody" };
  if (positive.startsWith("+")) {
    const name = positive.slice(1);
    return /^[\w.-]+$/.test(name) ? { ...base, kind: "list", name } : undefined;
  }
  const network = parseNetwork(positive);
  if (network !== undefined) return { ...base, kind: "network", network };
  const lookup = ADDRESS.test(positive) ? undefined : parseLookup(positive);
  return lookup && { ...base, kind: "lookup", ...lookup };
}

function problemOf(item: string): string {
  const positive = item.startsWith("!") ? item.slice(1) : item;
  if (positive.startsWith("!")) return `one "!" is enough`;
  if (positive !== positive.trim()) return "has white space around it";
  if (positive.startsWith("+")) return "is not a valid name of a host list";
  const [address = "", prefix, ...more] = positive.split("/");
  if (prefix === undefined) {
    const right = `an address, a CIDR like "192.0.2.0/24", "spf:DOMAIN" or "+name"`;
    return address.includes("%") ? "zone ids are not supported" : `must be ${right}`;
  }
  if (more.length > 0 || parseNetwork(address) === undefined)
    return "has no valid address before the /";
  return `has no valid prefix length after the / (0 to ${address.includes(":") ? 128 : 32})`;
}

/**
 * Whether a list lets in all addresses, or all addresses of one family: by "*", "0.0.0.0/0", two halves, or a
 * negative item at the end. Other negative items do not count: they exclude too little. The answers of lookups are
 * checked when they come.
 */
export function coversEverybody(
  items: readonly string[],
  named: Readonly<Record<string, readonly string[]>> = {},
): boolean {
  const networks: Network[] = [];
  return !collectNetworks(items, named, networks, new Set()) || coversFamily(networks);
}

/** Adds the networks of the items. False if one item alone lets in all addresses. */
function collectNetworks(
  items: readonly string[],
  named: Readonly<Record<string, readonly string[]>>,
  networks: Network[],
  seen: Set<string>,
): boolean {
  const end = items.indexOf("!*");
  if (end === -1 && items.at(-1)?.startsWith("!") === true) return false;
  for (const text of end === -1 ? items : items.slice(0, end)) {
    const item = parseHostItem(text);
    if (item === undefined || item.negated || item.kind === "lookup") continue;
    if (item.kind === "everybody") return false;
    if (item.kind === "network") networks.push(item.network);
    if (item.kind === "list" && !seen.has(item.name)) {
      seen.add(item.name);
      if (!collectNetworks(named[item.name] ?? [], named, networks, seen)) return false;
    }
  }
  return true;
}
