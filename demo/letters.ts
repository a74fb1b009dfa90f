// The mail of the demo: real messages, and the comparison of what arrived with what was sent.
//
// Invariant: what unseen adds is taken off before comparing and nothing else is: one Received header, and in a
// Maildir three headers more and LF line ends.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const DIRECTORY = join(import.meta.dirname, "..", "test", "corpus");

export interface Letter {
  readonly name: string;
  /** As it goes over the wire: CRLF line ends. */
  readonly bytes: Buffer;
}

export function letter(name: string): Letter {
  const text = readFileSync(join(DIRECTORY, name), "latin1");
  return { name, bytes: Buffer.from(text.replaceAll("\n", "\r\n"), "latin1") };
}

/** `count` letters, no two the same: real ones in turn, each under a number. */
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

/** SHA-256 of what was sent, out of what a host received. */
export function digestAtHost(raw: Buffer): string {
  return digest(withoutReceived(raw.toString("latin1")));
}

/** SHA-256 of what was sent, out of a file in a Maildir. */
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

/** The topmost field must be ours; its folded lines go with it. */
function withoutReceived(text: string): string {
  const ours = /^Received: from .*\r\n(?:[ \t].*\r\n)*/.exec(text);
  return ours?.[0].includes("(unseen)") === true ? text.slice(ours[0].length) : "no Received";
}
