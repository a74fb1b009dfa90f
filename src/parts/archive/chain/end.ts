// The end of a chain as a process finds it that goes on with it.
//
// A process that is killed, or a disk that is full, can leave a line without its line end. Such a line was never
// acknowledged. It is told apart from a whole line whose line end was changed later.

import { type FileHandle, open } from "node:fs/promises";
import { dayFile, daysIn } from "./days.ts";
import { canBeCut, hashOf, LINE_MAX, NO_LINE, splitLine } from "./line.ts";

export interface ChainEnd {
  /** Undefined when the chain has no file yet. */
  readonly day: string | undefined;
  /** Octets of whole lines in the file of `day`. */
  readonly size: number;
  /** The hash of the last whole line; NO_LINE without one, and after a line without a hash. */
  readonly hash: string;
  /** The octets after the last whole line, and what they are. */
  readonly tail: { readonly octets: number; readonly what: "cut" | "changed" } | undefined;
}

/** The kind of the octets after the last line end of a chain, if the line before them has the hash `before`. */
export function tailKind(tail: Buffer, before: string): "cut" | "changed" {
  const last = splitLine(tail.subarray(0, -1).toString("latin1"));
  if (last !== undefined && hashOf(before, last.text) === last.hash) return "changed";
  return canBeCut(tail) ? "cut" : "changed";
}

export async function endOfChain(directory: string): Promise<ChainEnd> {
  const days = await daysIn(directory);
  const day = days.at(-1);
  let tail: Buffer | undefined;
  let size = 0;
  for (const each of days.toReversed()) {
    const end = await endOfFile(dayFile(directory, each));
    if (each === day) {
      tail = end.tail;
      size = end.size;
    }
    if (end.hash === undefined) continue;
    return { day, size, hash: end.hash, tail: tailOf(tail, end.hash) };
  }
  return { day, size, hash: NO_LINE, tail: tailOf(tail, NO_LINE) };
}

function tailOf(tail: Buffer | undefined, before: string): ChainEnd["tail"] {
  if (tail === undefined || tail.length === 0) return undefined;
  return { octets: tail.length, what: tailKind(tail, before) };
}

interface FileEnd {
  readonly size: number;
  readonly hash: string | undefined;
  readonly tail: Buffer;
}

async function endOfFile(path: string): Promise<FileEnd> {
  await using file = await open(path, "r");
  const { size } = await file.stat();
  // Room for a whole line and a tail. A longer rest was not written as a line.
  const from = Math.max(0, size - 2 * LINE_MAX);
  const bytes = await readRange(file, from, size);
  const lineEnd = bytes.lastIndexOf("\n");
  if (lineEnd < 0) return { size: from, hash: undefined, tail: bytes };
  const lineStart = lineEnd === 0 ? 0 : bytes.lastIndexOf("\n", lineEnd - 1) + 1;
  const line = bytes.toString("latin1", lineStart, lineEnd);
  return {
    size: from + lineEnd + 1,
    hash: splitLine(line)?.hash ?? NO_LINE,
    tail: bytes.subarray(lineEnd + 1),
  };
}

async function readRange(file: FileHandle, from: number, to: number): Promise<Buffer> {
  const bytes = Buffer.alloc(to - from);
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, from + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}
