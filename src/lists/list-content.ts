// The content of an lsearch file, read whole: what is in it, or why it is no list.
//
// Invariant: the content is that of one moment. A file that is replaced by rename while we read gives either the old
// list or the new one, and one that is written in place is read again. Files that hang hold two threads of the pool at
// most, and never the event loop.

import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { withErrorNames } from "../base/error-code.ts";
import { FileTurns } from "../base/file-turns.ts";

export type ListContent =
  | { readonly text: string }
  /** It was read, and is no text: as if it had no entry. */
  | { readonly unsound: string }
  /** It could not be read: nothing is known of it. */
  | { readonly error: string };

export interface ListReading {
  readonly content: ListContent;
  /** How the file looked; absent when it could not be read. */
  readonly seen?: BigIntStats;
}

/** More than ten million accounts. */
const SIZE_MAX = 128 * 1024 * 1024;

/** Changes in place while we read, in a row, before we give up for this lookup. */
const READS_MAX = 3;

/** Of all lists of the process: a file that hangs keeps its thread. */
const turns = new FileTurns(2);

/** How the file looks; a text says why it cannot be one. Never rejects. */
export function lookAtList(path: string): Promise<BigIntStats | string> {
  return turns.take(path, () => look(path));
}

/** Never rejects. */
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
    // A pipe that has taken the place of the file meanwhile must not wait for a writer.
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

/** From position 0 at every try; of a file that shrank meanwhile the rest is NULs, and its size tells. */
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
  // As a file system leaves a file that a power cut has caught.
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
