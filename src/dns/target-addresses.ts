// Addresses that the DNS of other domains must never lead the relay to: this machine, the networks behind it, and
// everything outside the public Internet (the IANA special-purpose address registries, RFC 6890). One table for next
// hops, policy hosts and hosts that want reports.
//
// Invariant: a text that is not an address is never a target. IPv6 that is carried to an IPv4 address is judged as that
// address too.

import { type Address, networkContains, parseAddress, parseNetwork } from "../base/cidr.ts";

/**
 * Items of a host list. The documentation networks (RFC 5737, 3849, 9637) are missing on purpose: real hosts never use
 * them, but tests do. 64:ff9b::/96 is let through and judged by its IPv4 address. All other public IPv6 is in 2000::/3.
 */
export const NEVER_A_TARGET: readonly string[] = [
  "0.0.0.0/8", // this network, RFC 1122
  "10.0.0.0/8", // private, RFC 1918
  "100.64.0.0/10", // shared by the customers of a provider, RFC 6598
  "127.0.0.0/8", // loopback, RFC 1122
  "169.254.0.0/16", // link-local, RFC 3927
  "172.16.0.0/12", // private, RFC 1918
  "192.0.0.0/24", // protocol assignments, RFC 6890
  "192.88.99.0/24", // relays of 6to4, RFC 7526
  "192.168.0.0/16", // private, RFC 1918
  "198.18.0.0/15", // benchmarks, RFC 2544
  "224.0.0.0/3", // multicast, reserved and broadcast, RFC 5771 and 1112
  "!64:ff9b::/96", // NAT64, RFC 6052
  "::/3", // loopback, unspecified, IPv4-compatible, local NAT64 (RFC 8215), discard (RFC 6666)
  "2001::/23", // protocol assignments: Teredo, benchmarks, ORCHID, RFC 2928
  "4000::/2", // not assigned, but for segment routing (RFC 9602)
  "8000::/1", // unique local (RFC 4193), link-local, site-local (RFC 3879), multicast
];

const NETWORKS = NEVER_A_TARGET.filter((item) => !item.startsWith("!")).flatMap(
  (item) => parseNetwork(item) ?? [],
);

const NAT64 = 0x0064_ff9b_0000_0000_0000_0000n;
const SIX_TO_FOUR = 0x2002n;

/** True for addresses in {@link NEVER_A_TARGET}, and for a text that is not an address. */
export function isNeverTarget(text: string): boolean {
  const address = parseAddress(text);
  if (address === undefined) return true;
  const judged = carriedIpv4(address) ?? address;
  return NETWORKS.some((network) => networkContains(network, judged));
}

/** A list of hosts. */
interface Hosts {
  match(address: string): { readonly kind: string };
}

/** Returns a test that is true for addresses in a configured list, and for a text that is not an address. */
export function ignoredBy(list: Hosts): (address: string) => boolean {
  return (address) => targetForms(address)?.some((form) => list.match(form).kind === "in") ?? true;
}

/**
 * The texts to judge an address by: itself, and the IPv4 address that it is carried to. Undefined for a text that is
 * not an address.
 */
export function targetForms(text: string): readonly string[] | undefined {
  const address = parseAddress(text);
  if (address === undefined) return undefined;
  const carried = carriedIpv4(address);
  return carried === undefined ? [text] : [text, ipv4Text(Number(carried.value))];
}

/**
 * The IPv4 address that a translator or tunnel sends an IPv6 address to: the last 32 bits for NAT64, the 32 bits after
 * the first 16 for 6to4.
 */
function carriedIpv4({ family, value }: Address): Address | undefined {
  const bits = BigInt(value);
  if (family === 4) return undefined;
  if (bits >> 32n === NAT64) return { family: 4, value: Number(BigInt.asUintN(32, bits)) };
  if (bits >> 112n !== SIX_TO_FOUR) return undefined;
  return { family: 4, value: Number(BigInt.asUintN(32, bits >> 80n)) };
}

function ipv4Text(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join(".");
}
