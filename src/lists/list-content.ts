// Reads an lsearch file whole: its text, or the reason why it is not a list.
//
// Invariants:
// - The content is that of one moment. If the file is replaced by rename meanwhile, we get the old list or the new
//   one. If it is written in place meanwhile, we read it again.
// - Files that hang hold at most two threads of the pool, and never the event loop.

import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { withErrorNames } from "../base/error-code.ts";
import { FileTurns } from "../base/file-turns.ts";

export type ListContent =
  | { readonly text: string }
  /** The file was read and is not a text: it counts as a list without entries. */
  | { readonly unsound: string }
  /** The file could not be read, so its content is unknown. */
  | { readonly error: string };

export interface ListReading {
  readonly content: ListContent;
  /** The status of the file; absent if it could not be read. */
  readonly seen?: BigIntStats;
}

/** Octets of the largest list: room for more than ten million accounts. */
const SIZE_MAX = 128 * 1024 * 1024;

/** Times that a file may change during a read before this lookup gives up. */
const READS_MAX = 3;

/** Shared by all lists of the process: a file that hangs keeps its thread. */
const turns = new FileTurns(2);

/** The status of the file, or a text that says why it cannot be a list. Never rejects. */
export function lookAtList(path: string): Promise<BigIntStats | string> {
  return turns.take(path, () => look(path));
}

/** Reads the file. Never rejects. */
export function readList(path: string): Promise<ListReading> {
  return turns.take(path, () => read(path));
}

async function look(path: string): Promise<BigIntStats | string> {
  try {
    const seen = await stat(path, { bigint: true });
    return seen.isFile() ? seen : "is not a regular file";
  } catch (error) {
    return messageOf(error);
  }
}

async function read(path: string): Promise<ListReading> {
  const looked = await look(path);
  if (typeof looked === "string") return { content: { error: looked } };
  try {
    // If a pipe has replaced the file meanwhile, opening it must not wait for a writer.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    for (let reads = 1; reads <= READS_MAX; reads++) {
      const before = await file.stat({ bigint: true });
      if (!before.isFile()) return { content: { error: "is not a regular file" } };
      if (before.size > SIZE_MAX) return { content: { error: "is larger than 128 MiB" } };
      const bytes = await bytesOf(file, Number(before.size));
      const seen = await file.stat({ bigint: true });
      if (isSameFile(before, seen)) return { content: decode(bytes), seen };
    }
    return { content: { error: "changes while it is read" } };
  } catch (error) {
    return { content: { error: messageOf(error) } };
  }
}

function messageOf(error: unknown): string {
  return withErrorNames(error instanceof Error ? error.message : String(error));
}

/** Reads from position 0. If the file shrank meanwhile, the rest is NULs, and the caller sees the changed size. */
async function bytesOf(file: FileHandle, size: number): Promise<Buffer> {
  const bytes = Buffer.alloc(size);
  for (let filled = 0; filled < size;) {
    const { bytesRead } = await file.read(bytes, filled, size - filled, filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes;
}

function decode(bytes: Buffer): ListContent {
  // A power cut may leave NULs in a file.
  if (bytes.includes(0)) return { unsound: "has NUL octets in it" };
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    return { unsound: "is not valid UTF-8" };
  }
}

export function isSameFile(a: BigIntStats, b: BigIntStats): boolean {
  return (
    a.mtimeNs === b.mtimeNs &&
    a.ctimeNs === b.ctimeNs &&
    a.ino === b.ino &&
    a.size === b.size &&
    a.dev === b.dev
  );
}
