// The host lists of [hosts] as the relay has them, for `relayctl hosts`.

import type { Configuration } from "../config/configuration.ts";
import type { ListsWithRefresh } from "../lists/create-lists.ts";
import type { HostsAnswer, HostsOrder } from "./control/protocol.ts";

interface Listed {
  readonly configuration: Pick<Configuration, "hosts">;
  readonly chain: { readonly lists: Pick<ListsWithRefresh, "describe" | "refreshHosts"> };
}

/** The lists that the order names, refreshed if it says so. A name that does not exist is left out. */
export async function hostLists(
  { configuration, chain: { lists } }: Listed,
  { refresh, name }: HostsOrder,
): Promise<HostsAnswer> {
  const names = [...configuration.hosts.keys()].filter((one) => name === undefined || one === name);
  if (refresh) await Promise.all(names.map((one) => lists.refreshHosts(one)));
  return { lists: names.flatMap((one) => lists.describe(one) ?? []) };
}
