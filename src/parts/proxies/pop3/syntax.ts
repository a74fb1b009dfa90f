// As much of POP3's syntax as the proxy needs (RFC 1939, RFC 2449).

import { LINE_MAX } from "../protocol.ts";
import type { Peer } from "../wire/peer.ts";

/** Most lines of a list before the login. */
const LINES_MAX = 100;

export function isOk(line: Buffer): boolean {
  return /^\+OK\b/i.test(line.toString("latin1", 0, 4));
}

function isLast(line: Buffer): boolean {
  return line[0] === 0x2e && /^\.\r?\n$/.test(line.toString("latin1", 0, 4));
}

/** The lines of a short list after its first line, without the last one. Rejects if it is long. */
export async function listOf(server: Peer): Promise<string[]> {
  const lines: string[] = [];
  while (lines.length < LINES_MAX) {
    const line = await server.line(LINE_MAX);
    if (isLast(line)) return lines;
    lines.push(line.toString("latin1").trimEnd());
  }
  throw new Error("the list of the server is too long");
}
