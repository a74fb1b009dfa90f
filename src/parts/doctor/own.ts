// What is ours: the domains, and the addresses under which this relay can be reached and from which its mail leaves.

import { createConnection, isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { isTable } from "../../base/table.ts";
import type { Configuration } from "../../config/configuration.ts";
import { parseLookup } from "../../lists/lookup.ts";
import { parseDomain } from "../../mail/address.ts";
import type { Setup } from "./check.ts";

/** Domains that are checked. More would not end in time. */
export const DOMAINS_MAX = 100;

/** The domains of [gate] local_domains that are written out, in the file or in the files that it names. */
export async function ownDomains(configuration: Configuration): Promise<readonly string[]> {
  const found = new Set<string>();
  await addDomains(configuration.gate.local_domains, configuration, found);
  return [...found];
}

async function addDomains(
  items: readonly string[],
  configuration: Configuration,
  found: Set<string>,
): Promise<void> {
  const { domains, lookups, directory, relay } = configuration;
  for (const item of items) {
    if (item.startsWith("+")) {
      await addDomains(domains.get(item.slice(1)) ?? [], configuration, found);
      continue;
    }
    const written = parseLookup(item);
    const lookup = written && lookups.get(written.scheme);
    if (written !== undefined && lookup?.of === "names") {
      const name = lookup.nameOf(written.argument, directory);
      const survey = await lookup.survey?.(name, relay.spool_directory);
      for (const { key } of survey?.entries ?? []) addDomain(key, found);
    } else addDomain(item, found);
  }
}

/** Patterns and exceptions name no domain of their own. */
function addDomain(written: string, found: Set<string>): void {
  if (/[!*:]/.test(written)) return;
  const domain = parseDomain(written.replace(/\.$/, ""));
  if (domain !== undefined && !domain.startsWith("[")) found.add(domain);
}

/** The addresses of the listeners; a listener of all addresses stands for those of this machine. */
export function listenedAddresses({ listeners }: Pick<Configuration, "listeners">): string[] {
  const machine = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  const found = listeners.flatMap(({ address: { host } }) => {
    if (host !== "0.0.0.0" && host !== "::") return [host];
    const families = host === "::" ? ["IPv4", "IPv6"] : ["IPv4"];
    return machine.filter(({ family }) => families.includes(family)).map(({ address }) => address);
  });
  return [...new Set(found)];
}

/** The addresses of `interface` in the transports. Complete if every transport that connects to hosts has one. */
export function sendingAddresses({
  configuration,
  chain,
}: Pick<Setup, "configuration" | "chain">): {
  readonly addresses: string[];
  readonly isComplete: boolean;
} {
  const connecting = [...configuration.transports.values()].filter(
    ({ name }) => chain.transports.get(name)?.reach !== undefined,
  );
  const written = connecting.map(({ options }) =>
    isTable(options) && Array.isArray(options["interface"]) ? options["interface"] : [],
  );
  const addresses = written
    .flat()
    .filter((address) => typeof address === "string" && isIP(address) !== 0);
  return {
    addresses: [...new Set(addresses)],
    isComplete: written.length > 0 && written.every(({ length }) => length > 0),
  };
}

/** The names that the relay says in EHLO: its own, and those of `helo` in the transports. */
export function heloNames({
  relay,
  transports,
}: Pick<Configuration, "relay" | "transports">): string[] {
  const written = Array.from(transports.values(), ({ options }) =>
    isTable(options) && typeof options["helo"] === "string" ? options["helo"].toLowerCase() : "",
  );
  const names = written.filter((name) => parseDomain(name)?.startsWith("[") === false);
  return [...new Set([relay.hostname, ...names])];
}

/** Milliseconds for a greeting. */
const GREETING_TIME = 5000;

/** Whether a listener of this relay answers at the address, to which a router may forward connections. */
export async function greetsAsUs(
  address: string,
  { listeners, relay }: Pick<Configuration, "listeners" | "relay">,
  signal: AbortSignal,
): Promise<boolean> {
  const ports = new Set([25, ...listeners.map((listener) => listener.address.port)]);
  ports.delete(0);
  const greetings = await Promise.all(
    Array.from(ports, (port) => greetingOf({ host: address, port }, signal)),
  );
  return greetings.some((greeting) => {
    const [, name] = /^220[ -](\S+)/.exec(greeting) ?? [];
    return name?.toLowerCase() === relay.hostname;
  });
}

/** "" without a greeting. */
function greetingOf(
  where: { readonly host: string; readonly port: number },
  signal: AbortSignal,
): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection({
      ...where,
      signal: AbortSignal.any([signal, AbortSignal.timeout(GREETING_TIME)]),
    });
    socket.once("data", (piece: Buffer) => {
      socket.end("QUIT\r\n");
      resolve(piece.subarray(0, 512).toString("latin1"));
    });
    socket.on("error", () => resolve(""));
    socket.on("close", () => resolve(""));
  });
}
