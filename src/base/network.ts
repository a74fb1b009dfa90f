// The network and the customer that an address is counted for in limits. One customer of a provider has one IPv4
// address or one IPv6 /64.

import { isIPv4 } from "node:net";
import { parseAddress } from "./cidr.ts";

/**
 * A key for the /24 of an IPv4 address or the /64 of an IPv6 address. All addresses of the network have the same key.
 */
export function networkOf(address: string): string {
  if (isIPv4(address)) return address.slice(0, address.lastIndexOf("."));
  const value = parseAddress(address)?.value;
  return typeof value === "bigint" ? (value >> 64n).toString(16) : address;
}

/** The IPv4 address itself, or a key for the /64 of an IPv6 address, in which a client can use any address it likes. */
export function clientKeyOf(address: string): string {
  return isIPv4(address) ? address : networkOf(address);
}
