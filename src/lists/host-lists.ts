// Host lists: items made into matchers, and the scan over them.
//
// Invariant: as for every list, the first item that matches decides, and at the end the address is in only if the
// last item was negative. What is no address is in no list.

import { type Address, networkContains, parseAddress } from "../base/cidr.ts";
import { type HostItem, parseHostItem } from "./host-items.ts";
import type { HostList, Match } from "./lists.ts";
import type { SpfList } from "./spf-list.ts";

export interface HostMatcher {
  readonly text: string;
  readonly negated: boolean;
  /** What of the item matches, as if it had no "!": "192.0.2.0/24". */
  find(address: Address): string | undefined;
}

/** What an item needs from outside. */
export interface HostSources {
  spf(domain: string): SpfList;
  named(name: string): readonly HostMatcher[];
}

export function hostMatcher(text: string, sources: HostSources): HostMatcher {
  const item = parseHostItem(text);
  if (item === undefined) throw new Error(`${JSON.stringify(text)} is no item of a host list`);
  return { text, negated: item.negated, find: finder(item, sources) };
}

function finder(item: HostItem, sources: HostSources): HostMatcher["find"] {
  const positive = item.negated ? item.text.slice(1) : item.text;
  switch (item.kind) {
    case "everybody":
      return () => positive;
    case "network":
      return (address) => (networkContains(item.network, address) ? positive : undefined);
    case "spf": {
      const list = sources.spf(item.domain);
      return (address) => {
        const entry = list.find(address);
        return entry === undefined ? undefined : `${positive} (${entry})`;
      };
    }
    case "list": {
      const matchers = sources.named(item.name);
      return (address) => {
        const match = scan(matchers, address);
        return match?.inside === true ? `${positive}: ${match.why}` : undefined;
      };
    }
  }
}

export function hostList(matchers: readonly HostMatcher[]): HostList {
  const last = matchers.at(-1);
  const end = `is not in the list (last item ${last?.text ?? "none"})`;
  return {
    match(text): Match {
      const address = parseAddress(text);
      if (address === undefined) return { kind: "out", why: `"${text}" is no address` };
      const found = scan(matchers, address);
      if (found === undefined) return { kind: "out", why: `${text} ${end}` };
      return found.inside
        ? { kind: "in", why: `${text} matches ${found.why}` }
        : { kind: "out", why: `${text} is kept out by !${found.why}` };
    },
  };
}

/** Undefined: out, because nothing matched. */
function scan(
  matchers: readonly HostMatcher[],
  address: Address,
): { readonly inside: boolean; readonly why: string } | undefined {
  for (const matcher of matchers) {
    const why = matcher.find(address);
    if (why !== undefined) return { inside: !matcher.negated, why };
  }
  const last = matchers.at(-1);
  return last?.negated === true
    ? { inside: true, why: `everything but ${last.text.slice(1)}` }
    : undefined;
}
