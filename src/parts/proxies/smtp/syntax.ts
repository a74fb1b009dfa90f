// As much of SMTP's syntax as the proxy needs (RFC 5321 4.2, RFC 4954).

import { LINE_MAX } from "../protocol.ts";
import type { Peer } from "../wire/peer.ts";

/** Most lines of one reply. */
const LINES_MAX = 100;

export interface Reply {
  readonly code: number;
  /** As it came. */
  readonly lines: readonly Buffer[];
}

/** Rejects if the server's lines are not a reply. */
export async function replyOf(server: Peer): Promise<Reply> {
  const lines: Buffer[] = [];
  while (lines.length < LINES_MAX) {
    const line = await server.line(LINE_MAX);
    lines.push(line);
    const [, code, more] = /^(\d{3})([ -]?)/.exec(line.toString("latin1", 0, 4)) ?? [];
    if (code === undefined) throw new Error("its reply has no code");
    if (more !== "-") return { code: Number(code), lines };
  }
  throw new Error("its reply is too long");
}

export function bytesOf({ lines }: Reply): Buffer {
  return Buffer.concat(lines);
}

/** The text of each line. */
export function textsOf({ lines }: Reply): string[] {
  return lines.map((line) => line.toString("latin1").trimEnd().slice(4));
}

/** A reply of several lines, as it is sent. */
export function replyText(code: number, texts: readonly string[]): string {
  return texts
    .map((text, at) => `${code}${at === texts.length - 1 ? " " : "-"}${text}\r\n`)
    .join("");
}
