// What an address belongs to, for limits: one customer of a provider has an address of IPv4 or a /64 of IPv6.

import { isIPv4 } from "node:net";
import { parseAddress } from "./cidr.ts";

/** The /24 of an IPv4 address, the /64 of an IPv6 address; any text that is the same for all of it. */
export function networkOf(address: string): string {
  if (isIPv4(address)) return address.slice(0, address.lastIndexOf("."));
  const value = parseAddress(address)?.value;
  return typeof value === "bigint" ? (value >> 64n).toString(16) : address;
}

/** An IPv4 address itself, and the /64 of an IPv6 address, in which a client can have any address it likes. */
export function clientKeyOf(address: string): string {
  return isIPv4(address) ? address : networkOf(address);
}
