// The addresses of a host: A and AAAA together, IPv4 first.

import { isIP } from "node:net";
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
