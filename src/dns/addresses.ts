// The addresses of a host, A and AAAA together with IPv4 first, and the name under which an address is looked up.

import { isIP } from "node:net";
import { parseAddress } from "../base/cidr.ts";
import type { Answer, Resolver } from "./dns.ts";

/**
 * Addresses of `name`; an address resolves to itself. The answer is found when either type is. It is temporary when
 * neither type is found and one of them did not answer, because that one may exist.
 */
export async function resolveAddresses(resolver: Resolver, name: string): Promise<Answer<string>> {
  if (isIP(name) !== 0) return { kind: "found", records: [name] };
  // RFC 6761 6.3: "localhost" is never looked up in the DNS.
  if (/^(?:.*\.)?localhost\.?$/i.test(name)) {
    return { kind: "found", records: ["127.0.0.1", "::1"] };
  }
  const [four, six] = await Promise.all([resolver.a(name), resolver.aaaa(name)]);
  if (four.kind === "found" && six.kind === "found") {
    const records = [...four.records, ...six.records];
    // Two answers for one name: DNSSEC's verdict and the alias are passed on only if both answers agree.
    return four.secure === six.secure && four.canonical === six.canonical
      ? { ...four, records }
      : { kind: "found", records };
  }
  const preferred = (["found", "temporary", "no-such-name"] as const).find(
    (kind) => four.kind === kind || six.kind === kind,
  );
  return preferred === undefined || four.kind === preferred ? four : six;
}

/** The name of the PTR records of an address (RFC 1035 3.5, RFC 3596 2.5). Throws if `address` is not an address. */
export function reverseName(address: string): string {
  const parsed = parseAddress(address);
  if (parsed === undefined) throw new Error(`${address} is no address`);
  const [base, digits, zone] =
    parsed.family === 4 ? ([10, 4, "in-addr.arpa"] as const) : ([16, 32, "ip6.arpa"] as const);
  const width = parsed.family === 4 ? 256n : 16n;
  const labels = Array.from({ length: digits }, (_, index) =>
    ((BigInt(parsed.value) / width ** BigInt(index)) % width).toString(base),
  );
  return [...labels, zone].join(".");
}
