// IP addresses and networks as numbers. This is the only module that knows ip-cidr, and ip-cidr only works out the
// range of a network. Everything before and after that is done here, because an address read wrongly is an open relay.
//
// Invariants: IPv4 and IPv6 are never compared with each other. An IPv4 address has one form: mapped IPv6 (RFC 4291
// 2.5.5.2) is unmapped in every spelling. A text with two readings is invalid: zone ids, leading zeros, IPv4 embedded
// in any other IPv6 form.

import { isIPv4, isIPv6 } from "node:net";
import IPCIDR from "ip-cidr";

/** Numbers of one family are compared only with numbers of the same family; see `contains`. */
export interface Address {
  readonly family: 4 | 6;
  readonly value: number | bigint;
}

/** `first` and `last` both belong to the network. */
export interface Network {
  readonly family: 4 | 6;
  readonly first: number | bigint;
  readonly last: number | bigint;
}

const MAPPED = 0xffffn;
const MAPPED_BITS = 96;

/** Returns the address, or undefined for a text that is not exactly one valid address. */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { family: 4, value: ipv4Value(text) };
  if (!isIPv6(text) || text.includes("%")) return undefined;
  const value = ipv6Value(text);
  const mapped = value >> 32n === MAPPED;
  if (text.includes(".") && !mapped) return undefined;
  return mapped ? { family: 4, value: Number(BigInt.asUintN(32, value)) } : { family: 6, value };
}

/** Reads an address or ADDRESS/PREFIX. Address bits below the prefix are ignored. Undefined for any other text. */
export function parseNetwork(text: string): Network | undefined {
  const slash = text.indexOf("/");
  const address = parseAddress(slash === -1 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  const { family, value } = address;
  if (slash === -1) return { family, first: value, last: value };

  const prefix = prefixBits(text.slice(slash + 1));
  const bits = family === 4 ? 32 : 128;
  // A mapped network may be written with the prefix of either family's notation; the text tells which.
  const own = family === 4 && text.includes(":") ? prefix - MAPPED_BITS : prefix;
  if (!(own >= 0 && own <= bits)) return undefined;
  const range = new IPCIDR(`${addressText(address)}/${own}`).toRange<bigint>({
    type: "bigInteger",
  });
  const [first, last] = family === 4 ? [Number(range[0]), Number(range[1])] : range;
  return { family, first, last };
}

export function networkContains(network: Network, address: Address): boolean {
  return (
    network.family === address.family &&
    network.first <= address.value &&
    address.value <= network.last
  );
}

/**
 * Addresses that no client on the public Internet has (RFC 6890). A list that leaves out only these still lets in the
 * whole Internet. Public IPv6 lies inside 2000::/3 only.
 */
const NEVER_PUBLIC = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "127.0.0.0/8",
  "224.0.0.0/3",
  "::/3",
  "4000::/2",
  "8000::/1",
].flatMap((text) => parseNetwork(text) ?? []);

/** Whether the union of these networks contains the whole public Internet of IPv4 or of IPv6. */
export function coversFamily(networks: readonly Network[]): boolean {
  return ([4, 6] as const).some((family) => {
    const own = networks.filter((network) => network.family === family);
    if (own.length === 0) return false;
    const sorted = [...own, ...NEVER_PUBLIC.filter((network) => network.family === family)]
      .map(({ first, last }) => [BigInt(first), BigInt(last)] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
    let covered = 0n;
    for (const [first, last] of sorted) {
      if (first > covered) return false;
      if (last >= covered) covered = last + 1n;
    }
    return covered === 1n << (family === 4 ? 32n : 128n);
  });
}

function prefixBits(text: string): number {
  return /^(?:0|[1-9]\d{0,2})$/.test(text) ? Number(text) : Number.NaN;
}

function ipv4Value(text: string): number {
  let value = 0;
  for (const octet of text.split(".")) value = value * 256 + Number(octet);
  return value;
}

/** `text` is a valid IPv6 address: at most one "::", at most one dotted quad, and the quad at the end. */
function ipv6Value(text: string): bigint {
  const gap = text.indexOf("::");
  if (gap === -1) return groupsValue(text).value;
  const head = groupsValue(text.slice(0, gap));
  const tail = groupsValue(text.slice(gap + 2));
  return (head.value << BigInt(16 * (8 - head.count))) | tail.value;
}

function groupsValue(text: string): { value: bigint; count: number } {
  let value = 0n;
  let count = 0;
  for (const group of text === "" ? [] : text.split(":")) {
    const dotted = group.includes(".");
    value = dotted
      ? (value << 32n) | BigInt(ipv4Value(group))
      : (value << 16n) | BigInt(Number.parseInt(group, 16));
    count += dotted ? 2 : 1;
  }
  return { value, count };
}

/** The address without any abbreviation: each address has one text, and ip-cidr cannot misread it. */
export function addressText({ family, value }: Address): string {
  const width = family === 4 ? 8 : 16;
  const parts = Array.from({ length: family === 4 ? 4 : 8 }, (_, index) => {
    const shift = BigInt(width * ((family === 4 ? 3 : 7) - index));
    return BigInt.asUintN(width, BigInt(value) >> shift).toString(family === 4 ? 10 : 16);
  });
  return parts.join(family === 4 ? "." : ":");
}
