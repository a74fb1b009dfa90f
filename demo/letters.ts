// The mail of the demo: real messages, and the comparison of what arrived with what was sent.
// Invariant: before comparing, only the additions of unseen are removed: one Received header, and in a Maildir three
// more headers and the LF line ends.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const DIRECTORY = join(import.meta.dirname, "..", "test", "corpus");

export interface Letter {
  readonly name: string;
  /** The message as it is sent, with CRLF line ends. */
  readonly bytes: Buffer;
}

export function letter(name: string): Letter {
  const text = readFileSync(join(DIRECTORY, name), "latin1");
  return { name, bytes: Buffer.from(text.replaceAll("\n", "\r\n"), "latin1") };
}

/** `count` different letters: the real ones in turn, each with a number. */
export function numbered(count: number): Letter[] {
  const names = readdirSync(DIRECTORY).filter((name) => name.endsWith(".eml"));
  return Array.from({ length: count }, (_, index) => {
    const { name, bytes } = letter(names[index % names.length] ?? "");
    return { name, bytes: withHeader(`X-Demo-Number: ${index + 1}`, bytes) };
  });
}

export function withHeader(header: string, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${header}\r\n`), bytes]);
}

/** The SHA-256 of the message that was sent, from the message that a host received. */
export function digestAtHost(raw: Buffer): string {
  return digest(withoutReceived(raw.toString("latin1")));
}

/** The SHA-256 of the message that was sent, from a file in a Maildir. */
export function digestInMaildir(file: Buffer): string {
  const text = file.toString("latin1").replaceAll("\n", "\r\n");
  const added = /^Return-path: .*\r\nEnvelope-to: .*\r\nDelivery-date: .*\r\n/.exec(text);
  return added === null
    ? "headers are missing"
    : digest(withoutReceived(text.slice(added[0].length)));
}

export function digest(bytes: Buffer | string): string {
  return createHash("sha256")
    .update(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes)
    .digest("hex");
}

/** The text without its first field, which must be the relay's Received, and without the folded lines of that field. */
function withoutReceived(text: string): string {
  const ours = /^Received: from .*\r\n(?:[ \t].*\r\n)*/.exec(text);
  return ours?.[0].includes("(unseen)") === true ? text.slice(ours[0].length) : "no Received";
}
