// Puts files into Maildirs whose content comes in pieces, and whose time of delivery is long past: mail that was delivered
// elsewhere before.
//
// Invariants:
//
// - A file is whole, has its time, and is synced before it gets its name in new/. The name is on disk when `place`
//   resolves.
// - A draft that is never placed lies in tmp/, where no reader looks, under a name by which it is known as one.

import { constants, futimes } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Clock } from "../base/clock.ts";
import { DirectorySyncs } from "../base/durable/directory-syncs.ts";
import { type FileCalls, nodeFileCalls } from "../base/durable/file-calls.ts";
import { errorCode } from "../base/error-code.ts";
import { Directories, directoryMode } from "./directories.ts";
import { FileNames } from "./file-names.ts";

const DRAFT = "Idraft";
const DRAFT_NAME = /^\d+\.M\d+IdraftP/;
const EXCLUSIVE = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;
const setTimes = promisify(futimes);

export interface NewFilesOptions {
  /** The directory above all Maildirs. */
  readonly root: string;
  /** The mode of the files. */
  readonly mode: number;
}

/** A file in tmp/. Exactly one of `place` and `discard` must be called, and nothing after it. */
export interface Draft {
  /** Octets so far. */
  readonly size: number;
  write(bytes: Buffer): Promise<void>;
  /**
   * Moves the file into new/ and returns its path. `key` stands in its name. `time` is the time of delivery, in ms since
   * the epoch.
   */
  place(key: string, time: number): Promise<string>;
  discard(): Promise<void>;
}

export class NewFiles {
  readonly #calls: FileCalls;
  readonly #mode: number;
  readonly #names: FileNames;
  readonly #syncs = new DirectorySyncs();
  readonly #directories: Directories;

  constructor(
    { root, mode }: NewFilesOptions,
    { clock, hostname }: { readonly clock: Clock; readonly hostname: string },
    calls = nodeFileCalls,
  ) {
    this.#calls = calls;
    this.#mode = mode;
    this.#names = new FileNames(clock, hostname);
    this.#directories = new Directories(this.#syncs, root, directoryMode(mode));
  }

  /** Creates the Maildir if it is missing. Rejects with the error of the system. */
  async begin(maildir: string): Promise<Draft> {
    const calls = this.#calls;
    await this.#directories.ready(maildir, calls);
    const name = this.#names.next(DRAFT);
    const path = join(maildir, "tmp", name);
    const fd = await calls.open(path, EXCLUSIVE, this.#mode);
    const state = { size: 0 };
    return {
      get size() {
        return state.size;
      },
      write: async (bytes) => {
        await writeAll(calls, fd, bytes);
        state.size += bytes.length;
      },
      place: async (key, time) => {
        const placed = join(maildir, "new", `${this.#names.next(key)},S=${state.size}`);
        try {
          await setTimes(fd, time / 1000, time / 1000);
          await calls.fsync(fd);
        } finally {
          await calls.close(fd);
        }
        await calls.rename(path, placed);
        await this.#syncs.sync(join(maildir, "new"), calls);
        return placed;
      },
      discard: async () => {
        await calls.close(fd);
        await calls.unlink(path);
      },
    };
  }

  /** Removes the drafts that a killed process has left in a Maildir. No other process may be writing some there. */
  async removeDrafts(maildir: string): Promise<void> {
    const directory = join(maildir, "tmp");
    try {
      for await (const name of this.#calls.names(directory)) {
        if (DRAFT_NAME.test(name)) await this.#calls.unlink(join(directory, name));
      }
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw error;
    }
  }
}

async function writeAll(calls: FileCalls, fd: number, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await calls.write(fd, bytes, at, bytes.length - at);
    if (bytesWritten === 0) throw new Error("the system wrote nothing and gave no error");
    at += bytesWritten;
  }
}
