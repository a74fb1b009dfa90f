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
  const names = [...configuration.hosts.keys()].filter(
    (list) => name === undefined || list === name,
  );
  if (refresh) await Promise.all(names.map((list) => lists.refreshHosts(list)));
  return { lists: names.flatMap((list) => lists.describe(list) ?? []) };
}
