// Reads small files that the configuration names: itself, certificates, keys, passwords. Their file systems may hang.
//
// Invariants:
//
// - Files that hang hold at most two threads of the pool.
// - A caller waits for a file at most PATIENCE. After that, the file counts as unreadable until it answers.
// - A read does not wait for the writer of a pipe, unless the caller allows pipes.

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

/** Milliseconds that a caller waits for a file. */
const PATIENCE = 5000;
/** Octets. The longest bundle of authorities has a few hundred thousand. */
const SIZE_MAX = 16 * 1024 * 1024;

const ownParts: NamedFileParts = { clock: systemClock, open };

export class NamedFiles {
  readonly #turns = new FileTurns(2);
  /** Files that did not answer in time and have not answered since. */
  readonly #late = new Set<string>();
  readonly #parts: NamedFileParts;

  constructor(parts = ownParts) {
    this.#parts = parts;
  }

  /** Reads the whole file. Rejects when it cannot be read or does not answer. `pipes`: the file may be a pipe. */
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

/** One for the process, because a file that hangs keeps its thread. */
const files = new NamedFiles();

/** Like {@link NamedFiles.read}. */
export function readNamedFile(path: string, pipes = false): Promise<NamedFile> {
  return files.read(path, pipes);
}
