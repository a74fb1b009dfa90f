// The DNS servers to ask: from the configuration, or from resolv.conf(5).

import { readFileSync } from "node:fs";
import { isIP, isIPv4 } from "node:net";
import type { Server } from "./exchange.ts";

const DNS_PORT = 53;

/** "192.0.2.1", "127.0.0.1:5353", "2001:db8::1", "[::1]:5353"; undefined for anything else. */
export function parseServer(text: string): Server | undefined {
  if (isIP(text) !== 0) return { address: text, port: DNS_PORT };
  const match = /^(?:\[(?<six>[^\]]+)\]|(?<four>[\d.]+))(?::(?<port>\d{1,5}))?$/.exec(text);
  const { six, four, port = String(DNS_PORT) } = match?.groups ?? {};
  const address = six ?? four ?? "";
  const right = six === undefined ? isIPv4(address) : isIP(address) === 6;
  const number = Number(port);
  return right && number > 0 && number < 65_536 ? { address, port: number } : undefined;
}

/**
 * The servers of the file. Without a file or a server in it, the one on this machine, as resolv.conf(5) says. Never
 * throws.
 */
export function systemServers(path = "/etc/resolv.conf"): readonly Server[] {
  const servers = Array.from(textOf(path).matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm))
    .map(([, written = ""]) => ({ address: written, port: DNS_PORT }))
    .filter(({ address }) => isIP(address) !== 0);
  return servers.length > 0 ? servers : [{ address: "127.0.0.1", port: DNS_PORT }];
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
