// A next hop in the notation of the configuration, followed by the addresses that a router has looked up.

import { isIPv6 } from "node:net";
import type { Host } from "../mail/host.ts";

/** "mx.example.org", "[2001:db8::1]:587", "mx.example.org [192.0.2.1, 192.0.2.2]". */
export function hostText({ name, port, addresses = [] }: Host): string {
  const host = port === undefined ? name : `${isIPv6(name) ? `[${name}]` : name}:${port}`;
  const others = addresses.filter((address) => address !== name);
  return others.length === 0 ? host : `${host} [${others.join(", ")}]`;
}
