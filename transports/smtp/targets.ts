// Which addresses a batch is taken to, in order. Names are looked up only when their turn comes, A before AAAA,
// never MX. A host without an address is passed over, and remembered as the reason if nothing else is left.

import type { Host } from "../../src/contract.ts";
import { resolveAddresses } from "../../src/dns/addresses.ts";
import type { Resolver } from "../../src/dns/resolver.ts";
import { status, type Status } from "../../src/status.ts";

/** One address of one host. */
export interface Target {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** What stands in the log and in reports: "mx.example.net [192.0.2.1]", ":587" behind it if it is not 25. */
  readonly label: string;
  /** A Unix socket on this machine, in the place of address and port. */
  readonly socket?: string;
}

export interface Unresolved {
  readonly status: Status;
}

export async function* targetsOf(
  hosts: readonly Host[],
  defaultPort: number,
  resolver: Resolver,
): AsyncGenerator<Target | Unresolved> {
  for (const { name, port = defaultPort, addresses: known } of hosts) {
    const addresses = known ?? (await addressesOf(name, resolver));
    if ("status" in addresses) yield addresses;
    else for (const address of addresses) yield targetOf(name, address, port);
  }
}

export function targetOf(name: string, address: string, port: number): Target {
  return { name, address, port, label: `${name} [${address}]${port === 25 ? "" : `:${port}`}` };
}

export function socketTarget(path: string): Target {
  return { name: path, address: "", port: 0, label: path, socket: path };
}

async function addressesOf(
  name: string,
  resolver: Resolver,
): Promise<readonly string[] | Unresolved> {
  const answer = await resolveAddresses(resolver, name);
  if (answer.kind === "found") return answer.records;
  return answer.kind === "temporary"
    ? { status: status(451, "4.3", `The address of ${name} cannot be looked up at the moment`) }
    : { status: status(451, "4.4", `The host ${name} has no address`) };
}
