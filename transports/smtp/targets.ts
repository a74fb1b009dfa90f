// The addresses that a batch is taken to, in order. Names are looked up only when their turn comes, A before AAAA,
// never MX. A host without an address, or barred by its TLS policy, is yielded as barred, with the reason.

import type { Host } from "../../src/mail/host.ts";
import { type Place, placeText } from "../../src/mail/place.ts";
import { resolveAddresses } from "../../src/dns/addresses.ts";
import type { Resolver } from "../../src/dns/dns.ts";
import { status } from "../../src/mail/status.ts";
import type { Room } from "../../src/base/room.ts";
import type { Barred, Policies, TlsPolicy } from "./policy.ts";

/** One address of one host. */
export interface Target {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly place: Place;
  /** The text of the place. Connections, hints and limits tell targets apart by it. */
  readonly label: string;
  /** Path of a Unix socket on this machine, used instead of address and port. */
  readonly socket?: string;
  readonly policy: TlsPolicy;
  /** The mail domain whose DNS names the host. Absent for a host that the configuration names. */
  readonly domain?: string;
}

interface LookupMeans {
  readonly services: { readonly resolver: Resolver };
  readonly policies: Pick<Policies, "of">;
}

interface TargetMeans extends LookupMeans {
  readonly room: Pick<Room, "patience">;
}

interface Addresses {
  readonly addresses: readonly string[];
  readonly secure?: true;
  readonly canonical?: string;
}

/**
 * Yields the targets of `hosts` in order. Yields undefined instead of a host that the DNS of a domain names, if its
 * look-ups take long and the room is full.
 */
export async function* targetsOf(
  hosts: readonly Host[],
  defaultPort: number,
  context: TargetMeans,
): AsyncGenerator<Target | Barred | undefined> {
  for (const host of hosts) {
    const port = host.port ?? defaultPort;
    const lookingUp = lookUp({ ...host, port }, context);
    const found = await (host.domain === undefined ? lookingUp : context.room.patience(lookingUp));
    if (found === undefined) yield undefined;
    else if ("status" in found) yield found;
    else {
      const { addresses, policy } = found;
      for (const address of addresses) yield targetOf(host, address, port, policy);
    }
  }
}

/** Returns the addresses of a host and its TLS policy, or the reason why it is barred. */
export async function lookUp(
  host: Host & { readonly port: number },
  { services: { resolver }, policies }: LookupMeans,
): Promise<Barred | { readonly addresses: readonly string[]; readonly policy: TlsPolicy }> {
  const found = isResolved(host) ? host : await addressesOf(host.name, resolver);
  if ("status" in found) return found;
  const policy = await policies.of({ ...host, ...found });
  return "status" in policy ? policy : { addresses: found.addresses, policy };
}

export function targetOf(
  { name, domain }: Pick<Host, "name" | "domain">,
  address: string,
  port: number,
  policy: TlsPolicy,
): Target {
  const place = { kind: "host", name, address, port } as const;
  const target = { name, address, port, place, label: placeText(place), policy };
  return domain === undefined ? target : { ...target, domain };
}

export function socketTarget(path: string, policy: TlsPolicy): Target {
  const place = { kind: "socket", path } as const;
  return { name: path, address: "", port: 0, place, label: path, socket: path, policy };
}

function isResolved(host: Host): host is Host & Addresses {
  return host.addresses !== undefined;
}

async function addressesOf(name: string, resolver: Resolver): Promise<Addresses | Barred> {
  const answer = await resolveAddresses(resolver, name);
  if (answer.kind === "found") {
    const { records: addresses, kind: _, ...rest } = answer;
    return { addresses, ...rest };
  }
  const text =
    answer.kind === "temporary"
      ? `The address of ${name} cannot be looked up at the moment`
      : `The host ${name} has no address`;
  const detail = answer.kind === "temporary" ? "4.3" : "4.4";
  return { rule: "barred", status: status(451, detail, text), error: "lookup", why: text };
}
