// The address that a server listens on, as written in the configuration file.

import { isIPv4, isIPv6 } from "node:net";

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  readonly written: string;
}

/** "192.0.2.1:25", "[::]:25". Port 0 means any free port. */
export function parseListenAddress(written: string): ListenAddress | undefined {
  const [, v6, v4, digits] = /^(?:\[([^\]]+)\]|([\d.]+)):(\d{1,5})$/.exec(written) ?? [];
  const port = Number(digits);
  if (!(port < 65_536)) return undefined;
  if (v6 !== undefined) return isIPv6(v6) ? { host: v6, port, written } : undefined;
  return v4 !== undefined && isIPv4(v4) ? { host: v4, port, written } : undefined;
}
