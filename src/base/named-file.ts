// Small files that the configuration names: itself, certificates, keys, passwords. Their file system may hang.
//
// Invariants: all that hang hold two threads of the pool at most, and nobody waits for one longer than PATIENCE: it
// counts as a file that cannot be read until it answers. Nobody waits for the writer of a pipe, unless pipes are wanted.

import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { type Clock, systemClock } from "./clock.ts";
import { FileTurns } from "./file-turns.ts";

export interface NamedFile {
  readonly mode: number;
  readonly bytes: Buffer;
}

export interface NamedFileParts {
  readonly clock: Pick<Clock, "after">;
  open(path: string, flags: number): Promise<Pick<FileHandle, "stat" | "readFile" | "close">>;
}

/** Milliseconds that a file may take. */
const PATIENCE = 5000;
/** Octets. The longest bundle of authorities has some hundred thousand. */
const SIZE_MAX = 16 * 1024 * 1024;

const ownParts: NamedFileParts = { clock: systemClock, open };

export class NamedFiles {
  readonly #turns = new FileTurns(2);
  /** Files that have not answered in time, and have not answered since. */
  readonly #late = new Set<string>();
  readonly #parts: NamedFileParts;

  constructor(parts = ownParts) {
    this.#parts = parts;
  }

  /** The whole of it, as it is now. Rejects when it cannot be read, or does not answer. `pipes`: it may be one. */
  async read(path: string, pipes = false): Promise<NamedFile> {
    if (this.#late.has(path)) throw new Error(NO_ANSWER);
    const { promise, resolve, reject } = Promise.withResolvers<NamedFile>();
    const timer = this.#parts.clock.after(PATIENCE, () => {
      this.#late.add(path);
      reject(new Error(NO_ANSWER));
    });
    const end = () => {
      timer.cancel();
      this.#late.delete(path);
    };
    this.#turns
      .take(path, () => this.#read(path, pipes))
      .finally(end)
      .then(resolve, reject);
    return promise;
  }

  async #read(path: string, pipes: boolean): Promise<NamedFile> {
    const flags = constants.O_RDONLY | (pipes ? 0 : constants.O_NONBLOCK);
    const file = await this.#parts.open(path, flags);
    try {
      const found = await file.stat();
      if (found.isDirectory()) throw new Error("it is a directory");
      if (!found.isFile() && !pipes) throw new Error("it is no regular file");
      if (found.size > SIZE_MAX) throw new Error("it is larger than 16 MiB");
      return { mode: found.mode, bytes: await file.readFile() };
    } finally {
      await file.close();
    }
  }
}

const NO_ANSWER = "its file system does not answer";

/** Of the process: a file that hangs keeps its thread. */
const files = new NamedFiles();

/** As {@link NamedFiles.read}. */
export function readNamedFile(path: string, pipes = false): Promise<NamedFile> {
  return files.read(path, pipes);
}
