// The extensions in a server's answer to EHLO (RFC 5321 4.1.1.1) that the client can use.
// CHUNKING is left out on purpose: it would be a second way to mark the end of a message.

import type { Reply } from "./reply.ts";

export interface Capabilities {
  /** RFC 2920. */
  readonly pipelining: boolean;
  /** RFC 1870: largest message in octets. 0: offered without a limit. Absent: not offered. */
  readonly size?: number;
  /** RFC 6152. */
  readonly eightBitMime: boolean;
  /** RFC 6531. */
  readonly smtputf8: boolean;
  /** RFC 3461. */
  readonly dsn: boolean;
  /** RFC 3207. */
  readonly startTls: boolean;
  /** RFC 8689; true only under TLS. */
  readonly requireTls: boolean;
  /** RFC 4954: the mechanisms, in upper case. */
  readonly auth: readonly string[];
}

/** The capabilities of a server that only knows HELO. */
export const NO_CAPABILITIES: Capabilities = {
  pipelining: false,
  eightBitMime: false,
  smtputf8: false,
  dsn: false,
  startTls: false,
  requireTls: false,
  auth: [],
};

export function parseCapabilities(reply: Reply, secured: boolean): Capabilities {
  const offered = new Map<string, readonly string[]>();
  for (const line of reply.lines.slice(1)) {
    const [keyword = "", ...parameters] = line.trim().toUpperCase().split(/\s+/);
    offered.set(keyword, parameters);
  }
  const size = offered.get("SIZE")?.[0];
  return {
    pipelining: offered.has("PIPELINING"),
    ...(offered.has("SIZE") ? { size: /^\d{1,15}$/.test(size ?? "") ? Number(size) : 0 } : {}),
    eightBitMime: offered.has("8BITMIME"),
    smtputf8: offered.has("SMTPUTF8"),
    dsn: offered.has("DSN"),
    startTls: offered.has("STARTTLS"),
    requireTls: secured && offered.has("REQUIRETLS"),
    auth: offered.get("AUTH") ?? [],
  };
}
