// The addresses of a host for Node's own clients, out of our resolver and not out of the system's.

import type { LookupAddress } from "node:dns";
import { isIPv6, type LookupFunction } from "node:net";
import { resolveAddresses } from "./addresses.ts";
import type { Resolver } from "./resolver.ts";

/** The `lookup` of a connection to `host`. Rejects when it has no address. */
export async function lookupOf(host: string, resolver: Resolver): Promise<LookupFunction> {
  const answer = await resolveAddresses(resolver, host);
  const [first] = answer.kind === "found" ? answer.records : [];
  if (answer.kind !== "found" || first === undefined) {
    const why = answer.kind === "temporary" ? answer.error : "it has no address";
    throw new Error(`${host}: ${why}`);
  }
  return (_, { all }, callback) => {
    if (all === true) callback(null, answer.records.map(withFamily));
    else callback(null, first, withFamily(first).family);
  };
}

function withFamily(address: string): LookupAddress {
  return { address, family: isIPv6(address) ? 6 : 4 };
}
