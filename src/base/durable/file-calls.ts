// The system calls by which a message reaches the disk, and no others: a test puts a failing one in the place of
// each. File descriptors and callbacks instead of FileHandle objects, which cost a fifth more processor time.

import fs, { constants } from "node:fs";
import { promisify } from "node:util";
import type { MaybePromise } from "../maybe-promise.ts";

/** A file that is made, written, synced and closed, and then moved; and the directory that it is moved to is synced. */
export interface NewFile {
  readonly from: string;
  readonly to: string;
  /** That of `to`, by its descriptor or its path. */
  readonly directory: number | string;
  readonly mode: number;
  /** Of the open, beside those that make a new file. With O_DSYNC it needs no sync of its own. */
  readonly flags: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface FileCalls {
  open(path: string, flags: number, mode?: number): Promise<number>;
  /** May write less than it was given, as write(2) does. */
  write(
    fd: number,
    bytes: Buffer,
    offset: number,
    length: number,
  ): Promise<{ readonly bytesWritten: number }>;
  fsync(fd: number): Promise<void>;
  /** Done with, error or not, when it returns or has resolved. */
  close(fd: number): MaybePromise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  mkdir(path: string, mode: number): Promise<void>;
  /** The names in a directory, some at a time. */
  names(path: string): AsyncIterable<string>;
  /**
   * A whole file at once, and the sync of the directory that it is moved to. When this rejects, the file is nowhere, or
   * where it was to be moved.
   */
  place?: ((file: NewFile) => Promise<void>) | undefined;
  /** The delivery is over, in good order or not. Nothing is called after that. */
  end?(error?: unknown): void;
}

const mkdir = promisify(fs.mkdir);

/** A close is done at once: what is left to it after an fsync costs less than handing it to another thread. */
export const nodeFileCalls: FileCalls = {
  open: promisify(fs.open),
  write: promisify(fs.write),
  fsync: promisify(fs.fsync),
  close: fs.closeSync,
  rename: promisify(fs.rename),
  unlink: promisify(fs.unlink),
  mkdir: async (path, mode) => {
    await mkdir(path, { mode });
  },
  async *names(path) {
    for await (const { name } of await fs.promises.opendir(path, { bufferSize: 1000 })) yield name;
  },
};

/**
 * For `open`: each write is on disk when it is done, so that a file of one piece needs no fsync of its own.
 * Undefined where that is not Linux: macOS has the flag, and leaves the bytes in the memory of the disk.
 */
export const SYNCED_WRITES = process.platform === "linux" ? constants.O_DSYNC : undefined;
