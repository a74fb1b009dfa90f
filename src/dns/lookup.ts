// The addresses of a host for Node's own clients, from the relay's resolver instead of the system's.

import type { LookupAddress } from "node:dns";
import { isIPv6, type LookupFunction } from "node:net";
import { resolveAddresses } from "./addresses.ts";
import type { Resolver } from "./dns.ts";

/**
 * Returns the `lookup` of a connection to `host`, a name or an address. Rejects when `host` has no address except
 * ignored ones. Node does not call `lookup` for an address: it has passed the check when this resolves.
 */
export async function lookupOf(
  host: string,
  resolver: Resolver,
  isIgnored: (address: string) => boolean,
): Promise<LookupFunction> {
  const answer = await resolveAddresses(resolver, host);
  const all = answer.kind === "found" ? answer.records : [];
  const addresses = all.filter((address) => !isIgnored(address));
  const [first] = addresses;
  if (first === undefined) {
    const none = all.length > 0 ? "nothing is sent to its addresses" : "it has no address";
    throw new Error(`${host}: ${answer.kind === "temporary" ? answer.error : none}`);
  }
  return (_, options, callback) => {
    if (options.all === true) callback(null, addresses.map(withFamily));
    else callback(null, first, withFamily(first).family);
  };
}

function withFamily(address: string): LookupAddress {
  return { address, family: isIPv6(address) ? 6 : 4 };
}
