// The hosts that the configuration names as next hops, each with the transport that delivers to it.

import type { Transport } from "../../contract/contract.ts";
import { isTable } from "../../base/table.ts";
import type { Host } from "../../mail/host.ts";
import type { Setup } from "./check.ts";

export interface NextHop {
  /** "transports.gmail", or "routers.smarthost" for a host that a router names. */
  readonly at: string;
  readonly transport: Transport;
  readonly host: Host;
}

/** The hosts of `hosts`, `route` and `route_list`, in the order of the file, each once for a transport. */
export function nextHops({
  configuration,
  chain,
}: Pick<Setup, "configuration" | "chain">): NextHop[] {
  const own = Array.from(chain.transports, ([name, transport]) =>
    (transport.hosts ?? []).map((host) => ({ at: `transports.${name}`, transport, host })),
  );
  const routed = configuration.routers.map(({ name, options }) => {
    const transport = chain.transports.get(String(optionOf(options, "transport")));
    if (transport === undefined) return [];
    const rules = listOf(optionOf(options, "route_list"));
    const hosts = [
      ...listOf(optionOf(options, "route")),
      ...rules.flatMap((rule) => listOf(optionOf(rule, "hosts"))),
    ].filter((host) => isHost(host));
    return hosts.map((host) => ({ at: `routers.${name}`, transport, host }));
  });
  const all = [...own, ...routed].flat();
  return [...new Map(all.map((hop) => [keyOf(hop), hop])).values()];
}

function keyOf({ at, host }: NextHop): string {
  return `${at} ${host.name} ${host.port ?? ""}`;
}

function optionOf(options: unknown, name: string): unknown {
  return isTable(options) ? options[name] : undefined;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A next hop that the loader has read, but no `host/MX`. */
function isHost(value: unknown): value is Host {
  return isTable(value) && typeof value["name"] === "string" && value["mx"] === undefined;
}
