// dnslookup: sends an address to the mail exchangers of its domain (RFC 5321 5.1, RFC 7505). Strangers write the
// answers of the DNS, so every address passes `ignore_target_hosts` before a transport sees it.
//
// Invariants: a decision that refuses mail needs a definite answer; without one the router defers. Every host in a
// decision has at least one address that was checked here.

import { hostList } from "../src/options/list-types.ts";
import { options, transportName, type Values, withDefault } from "../src/options/options.ts";
import type { Decision, RouterDriver, Services } from "../src/contract/contract.ts";
import { resolveAddresses } from "../src/dns/addresses.ts";
import type { MxRecord } from "../src/dns/dns.ts";
import { parseAddress } from "../src/base/cidr.ts";
import { ignoredBy, NEVER_A_TARGET } from "../src/dns/target-addresses.ts";
import { parseDomain } from "../src/mail/address.ts";
import { status } from "../src/mail/status.ts";
import type { Host } from "../src/mail/host.ts";

/** Hosts that are looked up for one domain, best first. */
const HOSTS_MAX = 20;
const ADDRESSES_MAX = 8;

/** The option for every router whose addresses come from strangers. */
export const ignoreTargetHosts = withDefault(
  hostList(
    "Addresses that the relay ignores in answers of the DNS. NAT64 and 6to4 addresses are also checked as the IPv4 " +
      "address in them. With [] every address is allowed, even the relay's own.",
  ),
  NEVER_A_TARGET,
);

const dnslookupOptions = options({
  transport: transportName("The transport that delivers to the hosts from DNS."),
  ignore_target_hosts: ignoreTargetHosts,
});

/**
 * Decisions:
 * - accept: the domain has hosts, by MX or, without any MX, by its own address.
 * - decline, with 550 5.4.4 if no other router takes it: it has hosts, and `ignore_target_hosts` leaves none of their
 *   addresses.
 * - fail 556 5.1.10: a null MX says that the domain takes no mail.
 * - fail 550 5.1.2: the domain does not exist, has neither MX nor address, or is an address literal.
 * - fail 550 5.4.4: it has MX records, and none of its hosts exists.
 * - defer 451 4.4.3: DNS did not answer, and no host is known without that answer.
 * - defer 451 4.4.6: we are its best host ourselves, by name or address. No bounce: this is our configuration.
 */
export const dnslookup: RouterDriver<Values<typeof dnslookupOptions>> = {
  name: "dnslookup",
  options: dnslookupOptions,
  create({ transport, ignore_target_hosts: ignored }, services) {
    const filter = createFilter(ignored, services);
    return {
      async route({ mailbox: { domain } }) {
        const exchangers = await exchangersOf(domain, services);
        if ("kind" in exchangers) return exchangers;
        const { targets, secure, otherwise } = exchangers;
        const { hosts, ...without } = await look(targets, services, filter);
        if (hosts.length === 0) return refusal(domain, without, otherwise);
        return { kind: "accept", transport, hosts: hosts.map(of(domain, secure)) };
      },
    };
  },
};

/** The hosts of a domain by their names. */
interface Exchangers {
  readonly targets: readonly MxRecord[];
  /** True: the names are signed by DNSSEC. */
  readonly secure: boolean;
  /** The decision if none of the hosts exists. */
  readonly otherwise: Decision;
}

/** The exchangers of a domain, or a decision if it has none. */
async function exchangersOf(domain: string, services: Services): Promise<Exchangers | Decision> {
  if (parseDomain(domain) !== domain || domain.startsWith("[")) return noSuchDomain(domain);
  const mx = await services.resolver.mx(domain);
  switch (mx.kind) {
    case "temporary":
      return noAnswer(domain, mx.error);
    case "no-such-name":
      return noSuchDomain(domain);
    case "no-data":
      return { targets: [implicitMx(domain)], secure: true, otherwise: noSuchDomain(domain) };
    case "found": {
      if (isNullMx(mx.records)) return nullMx(domain);
      const targets = inOrder(mx.records, services.clock.now());
      return { targets, secure: mx.secure === true, otherwise: noSuchHosts(domain) };
    }
  }
}

/** Marks the host as secure only if both its addresses and the MX are signed by DNSSEC. */
function of(domain: string, secureMx: boolean): (host: Host) => Host {
  return ({ secure, ...host }) =>
    secure === true && secureMx ? { ...host, domain, secure } : { ...host, domain };
}

// ---- which hosts, in which order ----

/** RFC 5321 5.1: the domain itself, as if by an MX of preference 0. */
function implicitMx(domain: string): MxRecord {
  return { exchange: domain, preference: 0 };
}

/** Whether the domain has a null MX (RFC 7505 3): the root as its only MX. Beside other records it is only an invalid name. */
function isNullMx(records: readonly MxRecord[]): boolean {
  return records.length === 1 && /^\.?$/.test(records[0]?.exchange ?? "");
}

/** False for an address in the place of a name: a top-level label never consists of digits only (RFC 3696 2). */
function isHostName(name: string): boolean {
  return name.length <= 253 && /^(?!(?:.*\.)?\d+$)[\w-]{1,63}(?:\.[\w-]{1,63})*$/.test(name);
}

/**
 * The hosts by preference. The order of equal hosts changes from second to second, which spreads the load and still
 * lets the recipients of one message share a connection. Invalid names (addresses, for example) are left out.
 */
function inOrder(records: readonly MxRecord[], now: number): MxRecord[] {
  const second = String(Math.floor(now / 1000));
  const best = new Map<string, MxRecord>();
  for (const record of records) {
    const known = best.get(record.exchange);
    const isBetter = known === undefined || record.preference < known.preference;
    if (isBetter && isHostName(record.exchange)) best.set(record.exchange, record);
  }
  return [...best.values()]
    .map((record) => ({ record, order: hash(second + record.exchange) }))
    .toSorted((a, b) => a.record.preference - b.record.preference || a.order - b.order)
    .map(({ record }) => record);
}

/** FNV-1a, 32 bits: it spreads well enough, and needs no secret. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  return (value ^ (value >>> 15)) >>> 0;
}

// ---- what DNS says of each ----

interface Filter {
  readonly isIgnored: (address: string) => boolean;
  readonly isOurName: (name: string) => boolean;
  readonly isOurs: (address: string) => boolean;
}

/** The filter of addresses. An empty list ignores none, and then the relay does not recognise itself either. */
export function createFilter(ignored: readonly string[], { lists, ...services }: Services): Filter {
  if (ignored.length === 0) return { isIgnored: never, isOurName: never, isOurs: never };
  const own = [...services.ownAddresses].filter((item) => parseAddress(item) !== undefined);
  const hostname = services.hostname.toLowerCase();
  return {
    isIgnored: ignoredBy(lists.hosts(ignored)),
    isOurName: (name) => name === hostname,
    isOurs: ignoredBy(lists.hosts(own)),
  };
}

const never = (): boolean => false;

interface LookUps {
  readonly hosts: readonly Host[];
  /** The reason why the answer is incomplete; absent if it is complete. */
  readonly unsure?: string;
  readonly ourselves: boolean;
  readonly ignored: boolean;
}

type LookUp = "nothing" | "ignored" | "ourselves" | Host | { readonly error: string };

/** Looks the hosts up. If the relay is one of them, only hosts with a better preference are kept (RFC 5321 5.1). */
async function look(
  targets: readonly MxRecord[],
  services: Services,
  filter: Filter,
): Promise<LookUps> {
  const found = await Promise.all(
    targets.slice(0, HOSTS_MAX).map(async ({ exchange, preference }) => ({
      preference,
      result: await lookAt(exchange, services, filter),
    })),
  );
  const ourselves = found.find(({ result }) => result === "ourselves");
  const hosts: Host[] = [];
  let unsure: string | undefined;
  let ignored = false;
  for (const { preference, result } of found) {
    if (ourselves !== undefined && preference >= ourselves.preference) break;
    if (result === "ignored") ignored = true;
    if (typeof result === "string") continue;
    if ("error" in result) unsure ??= result.error;
    else hosts.push(result);
  }
  const known = { hosts, ourselves: ourselves !== undefined, ignored };
  return unsure === undefined ? known : { ...known, unsure };
}

async function lookAt(name: string, { resolver }: Services, filter: Filter): Promise<LookUp> {
  if (filter.isOurName(name)) return "ourselves";
  const answer = await resolveAddresses(resolver, name);
  if (answer.kind === "temporary") return { error: `addresses of ${name}: ${answer.error}` };
  if (answer.kind !== "found") return "nothing";
  const addresses = answer.records.filter((address) => !filter.isIgnored(address));
  if (addresses.some(filter.isOurs)) return "ourselves";
  if (addresses.length === 0) return "ignored";
  const { kind: _kind, records: _records, ...way } = answer;
  return { name, addresses: addresses.slice(0, ADDRESSES_MAX), ...way };
}

// ---- what follows from it ----

function refusal(
  domain: string,
  { unsure, ourselves, ignored }: Omit<LookUps, "hosts">,
  otherwise: Decision,
): Decision {
  if (unsure !== undefined) return noAnswer(domain, unsure);
  if (ourselves) {
    return {
      kind: "defer",
      status: status(451, "4.6", `Mail for ${domain} loops back to myself`),
      why: `we are the best mail host of ${domain} ourselves`,
    };
  }
  return ignored
    ? {
        kind: "decline",
        status: status(
          550,
          "4.4",
          `The mail hosts of ${domain} have no address that mail can be sent to`,
        ),
        why: `ignore_target_hosts leaves no address of ${domain}`,
      }
    : otherwise;
}

function noSuchHosts(domain: string): Decision {
  return {
    kind: "fail",
    status: status(550, "4.4", `None of the mail hosts of ${domain} exists`),
    why: `every MX of ${domain} points to nothing`,
  };
}

function noSuchDomain(domain: string): Decision {
  return {
    kind: "fail",
    status: status(550, "1.2", `No mail host for ${domain}`),
    why: `${domain} does not exist, or has neither MX nor address`,
  };
}

function nullMx(domain: string): Decision {
  return {
    kind: "fail",
    status: status(556, "1.10", `${domain} takes no mail`),
    why: `${domain} has a null MX`,
  };
}

function noAnswer(domain: string, error: string): Decision {
  return {
    kind: "defer",
    status: status(451, "4.3", `No answer from the DNS about ${domain}`),
    why: error,
  };
}
