// Host lists: matchers made from their items, and the scan over them.
//
// Invariants:
// - As in every list, the first item that matches decides. If no item matches, the address is in the list only if the
//   last item is negative.
// - A text that is not an address is in no list.
// - If a lookup throws, its list matches no client.
// - Matching an address takes as long for ten thousand networks as for one.

import { type Address, parseAddress } from "../base/cidr.ts";
import { NetworkTable } from "../base/network-table.ts";
import { type HostItem, parseHostItem } from "./host-items.ts";
import type { HostList, Match } from "./lists.ts";
import { describeError } from "../observe/log.ts";
import type { HostSource } from "./lookup.ts";

/** Whether an address is in a list, and the item that decides. Undefined: out, because no item matches. */
export type HostScan = (
  address: Address,
) => { readonly inside: boolean; readonly why: string } | undefined;

/** The sources of lookups and the named lists that items refer to. */
interface ItemSources {
  lookup(scheme: string, argument: string): HostSource;
  named(name: string): HostScan;
}

/** Finds the first item that matches among some. */
type Finder = (address: Address) => { readonly negated: boolean; readonly why: string } | undefined;

export function hostScan(texts: readonly string[], sources: ItemSources): HostScan {
  const finders = findersOf(texts, sources);
  const last = texts.at(-1);
  const end =
    last?.startsWith("!") === true
      ? { inside: true, why: `everything but ${last.slice(1)}` }
      : undefined;
  return (address) => {
    for (const find of finders) {
      const found = find(address);
      if (found !== undefined) return { inside: !found.negated, why: found.why };
    }
    return end;
  };
}

/** The finders of all items, in order. Adjacent networks share one finder. */
function findersOf(texts: readonly string[], sources: ItemSources): Finder[] {
  const finders: Finder[] = [];
  let networks: NetworkItem[] = [];
  const closeRun = () => {
    if (networks.length > 0) finders.push(firstOf(networks));
    networks = [];
  };
  for (const text of texts) {
    const item = parseHostItem(text);
    if (item === undefined)
      throw new Error(`${JSON.stringify(text)} is not an item of a host list`);
    if (item.kind === "network") networks.push(item);
    else {
      closeRun();
      finders.push(finderOf(item, sources));
    }
  }
  closeRun();
  return finders;
}

type NetworkItem = Extract<HostItem, { readonly kind: "network" }>;

function firstOf(items: readonly NetworkItem[]): Finder {
  const table = new NetworkTable(items.map(({ network }) => network));
  return (address) => {
    const item = items[table.find(address)];
    return item && { negated: item.negated, why: positiveOf(item) };
  };
}

function positiveOf({ negated, text }: HostItem): string {
  return negated ? text.slice(1) : text;
}

function finderOf(item: Exclude<HostItem, NetworkItem>, sources: ItemSources): Finder {
  const { negated } = item;
  const positive = positiveOf(item);
  const when = (why: string | undefined) => (why === undefined ? undefined : { negated, why });
  switch (item.kind) {
    case "everybody":
      return () => ({ negated, why: positive });
    case "lookup": {
      const list = sources.lookup(item.scheme, item.argument);
      return (address) => {
        const entry = list.find(address);
        return when(entry && `${positive} (${entry})`);
      };
    }
    case "list": {
      const scan = sources.named(item.name);
      return (address) => {
        const match = scan(address);
        return when(match?.inside === true ? `${positive}: ${match.why}` : undefined);
      };
    }
  }
}

export function hostList(texts: readonly string[], sources: ItemSources): HostList {
  const scan = hostScan(texts, sources);
  const end = `is not in the list (last item ${texts.at(-1) ?? "none"})`;
  return {
    match(text): Match {
      const address = parseAddress(text);
      if (address === undefined) return { kind: "out", why: `"${text}" is not an address` };
      let found: ReturnType<HostScan>;
      try {
        found = scan(address);
      } catch (cause) {
        return { kind: "out", why: `${text}: ${describeError(cause)}` };
      }
      if (found === undefined) return { kind: "out", why: `${text} ${end}` };
      return found.inside
        ? { kind: "in", why: `${text} matches ${found.why}` }
        : { kind: "out", why: `${text} is kept out by !${found.why}` };
    },
  };
}
