// The address of the client behind proxies that are trusted.

import { addressText, parseAddress, parseNetwork } from "../../base/cidr.ts";
import { NetworkTable } from "../../base/network-table.ts";

/** Entries of X-Forwarded-For that are read, from the end. */
const HOPS_MAX = 20;

export class ClientAddresses {
  readonly #trusted: NetworkTable;

  constructor(trustedProxies: readonly string[]) {
    this.#trusted = new NetworkTable(trustedProxies.flatMap((one) => parseNetwork(one) ?? []));
  }

  /**
   * The last address that no trusted proxy has. `peer` is the address of the connection, `forwardedFor` the header
   * field, in which each proxy has added the address of its own peer at the end.
   */
  of(peer: string, forwardedFor: string | undefined): string {
    const hops = (forwardedFor ?? "").split(",").slice(-HOPS_MAX);
    let client = parseAddress(peer);
    if (client === undefined) return peer;
    while (this.#trusted.find(client) >= 0) {
      const next = parseAddress(hops.pop()?.trim() ?? "");
      if (next === undefined) break;
      client = next;
    }
    return addressText(client);
  }
}
