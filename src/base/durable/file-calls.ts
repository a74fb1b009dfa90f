// All system calls by which a message reaches the disk, so that a test can replace each by a failing one. They use file
// descriptors and callbacks: FileHandle objects cost a fifth more processor time.

import fs, { constants } from "node:fs";
import { promisify } from "node:util";
import type { MaybePromise } from "../maybe-promise.ts";

/**
 * A file that is created, written, synced, closed and then moved. After that the directory that it was moved to is
 * synced.
 */
export interface NewFile {
  readonly from: string;
  readonly to: string;
  /** The directory of `to`, by its descriptor or its path. */
  readonly directory: number | string;
  readonly mode: number;
  /** Flags of the open, in addition to those that create a new file. */
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
  /** The descriptor is closed, with or without an error, when this has returned or resolved. */
  close(fd: number): MaybePromise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  mkdir(path: string, mode: number): Promise<void>;
  /** The names in a directory, read in portions. */
  names(path: string): AsyncIterable<string>;
  /**
   * Writes a whole file at once and syncs the directory that it is moved to. When this rejects, the file either does
   * not exist or has its final name.
   */
  place?: ((file: NewFile) => Promise<void>) | undefined;
  /** The delivery is over, with or without an error. No call follows. */
  end?(error?: unknown): void;
}

const mkdir = promisify(fs.mkdir);

/** `close` is synchronous: after an fsync it costs less than handing it to another thread. */
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
 * Flag for `open`: each write is on disk when it returns, so a file written in one piece needs no fsync of its own.
 * Undefined on other systems than Linux: macOS has the flag but leaves the bytes in the memory of the disk.
 */
export const SYNCED_WRITES = process.platform === "linux" ? constants.O_DSYNC : undefined;
