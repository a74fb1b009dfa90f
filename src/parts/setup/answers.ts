// The answers that relayctl init needs: domains, the relay's name, its public addresses. Each reader returns the value in
// its one canonical form, or says in a clause what is wrong with the text.
//
// Invariant: only letters, digits, dots, hyphens and colons are in a value, so it is safe in TOML, in a path, in a DNS
// record and on a terminal.

import { isIPv4 } from "node:net";
import { networkInterfaces } from "node:os";
import { parseAddress } from "../../base/cidr.ts";
import { isNeverTarget } from "../../dns/target-addresses.ts";
import { parseDomain } from "../../mail/address.ts";

export interface Answers {
  /** At least one, in A-labels. */
  readonly domains: readonly [string, ...string[]];
  readonly hostname: string;
  /** Public addresses of the relay: at least one of IPv4, which come first. */
  readonly addresses: readonly string[];
}

export type Read<T> = { readonly ok: T } | { readonly wrong: string };

/** RFC 1123 2.1: letters, digits and hyphens, no hyphen at either end of a label. */
const HOST_NAME = /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;

/** A name with at least one dot. A dot at the end, as in a zone file, is removed. */
function readName(text: string, example: string): Read<string> {
  const name = parseDomain(text.trim().replace(/\.$/, ""));
  if (name !== undefined && HOST_NAME.test(name)) return { ok: name };
  return { wrong: `${JSON.stringify(text)} is no name like ${example}` };
}

export function readDomains(texts: readonly string[]): Read<Answers["domains"]> {
  const names = new Set<string>();
  for (const text of texts) {
    const name = readName(text, "example.com");
    if ("wrong" in name) return name;
    names.add(name.ok);
  }
  const [first, ...others] = names;
  return first === undefined ? { wrong: "no domain is given" } : { ok: [first, ...others] };
}

export function readHostname(text: string, domains: readonly string[]): Read<string> {
  const name = readName(text, "mx.example.com");
  if ("wrong" in name || !domains.includes(name.ok)) return name;
  return {
    wrong: `${name.ok} is the mail domain, whose address record belongs to its web site; choose a name like mx.${name.ok}`,
  };
}

export function readAddresses(texts: readonly string[]): Read<Answers["addresses"]> {
  const addresses = new Set<string>();
  for (const text of texts) {
    const address = readAddress(text.trim());
    if ("wrong" in address) return address;
    addresses.add(address.ok);
  }
  const v4 = [...addresses].filter(isIPv4);
  if (v4.length === 0) {
    return { wrong: "one IPv4 address is needed, because many hosts send mail by IPv4 only" };
  }
  return { ok: [...v4, ...addresses.difference(new Set(v4))] };
}

/** Mapped IPv6 becomes the IPv4 address, and IPv6 the short form of RFC 5952. */
function readAddress(text: string): Read<string> {
  const parsed = parseAddress(text);
  if (parsed === undefined) return { wrong: `${JSON.stringify(text)} is no IPv4 or IPv6 address` };
  if (isNeverTarget(text)) {
    return {
      wrong: `${text} is no public address; give the one by which other hosts reach the relay`,
    };
  }
  const { family, value } = parsed;
  return {
    ok: family === 4 ? dotted(Number(value)) : new URL(`http://[${text}]`).hostname.slice(1, -1),
  };
}

function dotted(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
}

/** The public addresses of this machine: the proposal for the question. Behind NAT there are none. */
export function ownAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, address }) => !internal && !isNeverTarget(address))
    .map(({ address }) => address);
}
