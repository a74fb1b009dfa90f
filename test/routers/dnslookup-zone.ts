// dnslookup before a DNS server with the zone of a test.

import { dnslookup } from "../../routers/dnslookup.ts";
import type { Decision, Services } from "../../src/contract/contract.ts";
import { createResolver } from "../../src/dns/create-resolver.ts";
import { createLists } from "../../src/lists/create-lists.ts";
import { readOptions } from "../conformance/driver.ts";
import { context, subject } from "../conformance/router.ts";
import { manualClock, type ManualClock } from "../support/clock.ts";
import { startDns, type Zone } from "../support/dns.ts";
import { fakeServices, recordingLog, resolverAnswering } from "../support/services.ts";
import { builtIn } from "../../src/built-in.ts";

export function lists() {
  return createLists({
    lookups: builtIn.lookups,
    domains: {},
    hosts: { office: ["198.51.100.0/24"] },
    configDirectory: "/nowhere",
    log: recordingLog(),
    resolver: resolverAnswering({ kind: "no-data" }),
    clock: manualClock(),
  });
}

export async function setUp(
  zone: Zone,
  table: Record<string, unknown> = {},
  given: Partial<Services> = {},
) {
  const dns = await startDns(zone);
  const clock: ManualClock = manualClock();
  const resolver = createResolver({ servers: [dns.address], clock, dnssec: true });
  const read = readOptions(dnslookup, { transport: "smtp", ...table });
  const router = dnslookup.create(
    read,
    fakeServices({
      clock,
      resolver,
      lists: lists(),
      ownAddresses: new Set(["203.0.113.25"]),
      ...given,
    }),
  );
  return {
    dns,
    clock,
    route: async (domain: string): Promise<Decision> =>
      router.route(subject(`bob@${domain}`), context()),
    async [Symbol.asyncDispose]() {
      await resolver.close();
      await dns.close();
    },
  };
}

/** "a=192.0.2.1,2001:db8::1 b=…", or the decision in a few words. */
export function brief(decision: Decision): string {
  if (decision.kind === "accept") {
    const hosts = decision.hosts ?? [];
    return hosts.map(({ name, addresses = [] }) => `${name}=${addresses.join(",")}`).join(" ");
  }
  return decision.kind === "fail" || decision.kind === "defer"
    ? `${decision.kind} ${decision.status.code} ${decision.status.enhanced}`
    : decision.kind;
}

export const HOSTS: Zone = {
  "a.test": { A: ["192.0.2.1"], AAAA: ["2001:db8::1"] },
  "b.test": { A: ["192.0.2.2"] },
  "c.test": { A: ["192.0.2.3"] },
  "loop.test": { A: ["127.0.0.1"], AAAA: ["::1"] },
  "private.test": { A: ["10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254"] },
  "mapped.test": { AAAA: ["::ffff:a01:203", "::7f00:1", "::", "fe80::1", "fd00::1", "ff02::1"] },
  "mixed.test": { A: ["127.0.0.1", "192.0.2.9"], AAAA: ["fc00::1"] },
  "us.test": { A: ["203.0.113.25"] },
  "txt.test": { TXT: ["no address"] },
};
