// Makes directories durably, by calls that the caller gives.
//
// Invariant: a directory that is made below the root is on disk, with all directories above it up to the root, when the
// call resolves. This includes directories that exist already: the process that made them may have been killed before it
// synced.

import { dirname } from "node:path";
import { errorCode } from "../error-code.ts";
import type { DirectorySyncs } from "./directory-syncs.ts";
import type { FileCalls } from "./file-calls.ts";

export class DirectoryMaker {
  readonly #syncs: DirectorySyncs;
  readonly #root: string;
  readonly #mode: number;

  /** No message chooses a name above `root`, so there only missing directories are made and synced. */
  constructor(syncs: DirectorySyncs, root: string, mode: number) {
    this.#syncs = syncs;
    this.#root = root;
    this.#mode = mode;
  }

  /** From the top down, so that each directory exists before an entry is made in it. */
  async make(path: string, calls: FileCalls): Promise<void> {
    const belowRoot = path.startsWith(`${this.#root}/`);
    if (belowRoot) await this.make(dirname(path), calls);
    const isNew = await this.mkdir(path, calls);
    if (isNew || belowRoot) await this.#syncs.sync(dirname(path), calls);
  }

  /** Makes one directory without syncing its entry. False if the directory existed. */
  mkdir(path: string, calls: FileCalls): Promise<boolean> {
    return this.#mkdir(path, calls, true);
  }

  async #mkdir(path: string, calls: FileCalls, mayMakeParent: boolean): Promise<boolean> {
    try {
      await calls.mkdir(path, this.#mode);
      return true;
    } catch (error) {
      const code = errorCode(error);
      if (code === "EEXIST") return false;
      if (code !== "ENOENT" || !mayMakeParent) throw error;
    }
    await this.make(dirname(path), calls);
    return this.#mkdir(path, calls, false);
  }
}
