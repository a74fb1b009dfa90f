// The first lines with an IMAP server.

import { type Greet, ServerRefused } from "../upstream.ts";
import { LINE_MAX } from "../protocol.ts";
import type { Peer } from "../wire/peer.ts";
import { outcomeOf } from "./syntax.ts";

/** Untagged lines before a tagged one. */
const LINES_MAX = 50;

export const greetImap: Greet = async (server, startTls) => {
  const greeting = await server.line(LINE_MAX);
  const text = greeting.toString("latin1");
  if (/^\* PREAUTH\b/i.test(text)) throw new Error("it wants no login: it greets with PREAUTH");
  if (!/^\* OK\b/i.test(text)) throw new ServerRefused(greeting);
  if (startTls === undefined) return greeting;
  await ask(server, "STARTTLS");
  if (server.takeChunk(1) !== undefined) {
    throw new Error("it sent text in clear after its OK to STARTTLS");
  }
  await startTls();
  // What was announced in clear counts no more (RFC 9051 6.2.1).
  const lines = await ask(server, "CAPABILITY");
  const list = lines.map((line) => /^\* CAPABILITY ([^\r\n]*)/i.exec(line)?.[1]).find(Boolean);
  const words = text.replace(/^\* OK (?:\[[^\]]*\] *)?/i, "");
  return Buffer.from(
    list === undefined ? text : `* OK [CAPABILITY ${list.trim()}] ${words}`,
    "latin1",
  );
};

/** The untagged lines of the answer. Rejects unless it is OK. */
async function ask(server: Peer, command: string): Promise<string[]> {
  const tag = "unseen1";
  server.write(`${tag} ${command}\r\n`);
  const lines: string[] = [];
  while (lines.length < LINES_MAX) {
    const line = await server.line(LINE_MAX);
    const outcome = outcomeOf(line, tag);
    if (outcome === "OK") return lines;
    const text = line.toString("latin1");
    if (outcome !== undefined) throw new Error(`it refused ${command}: ${text.trim()}`);
    lines.push(text);
  }
  throw new Error(`its answer to ${command} does not end`);
}
