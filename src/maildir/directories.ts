// Makes Maildirs and all missing directories above them, durably. It remembers Maildirs that are ready, so
// a delivery into a Maildir in use costs no call at all.
//
// Invariant: `ready` resolves only when the entries of all directories below the root are on disk. This includes
// directories that exist already: the process that made them may have been killed before it synced.

import { dirname, join } from "node:path";
import type { DirectorySyncs } from "../base/durable/directory-syncs.ts";
import { errorCode } from "../base/error-code.ts";
import type { FileCalls } from "../base/durable/file-calls.ts";

const REMEMBERED_MAX = 10_000;

export class Directories {
  readonly #syncs: DirectorySyncs;
  readonly #root: string;
  readonly #mode: number;
  readonly #ready = new Map<string, Promise<void>>();

  /** No message chooses a name above `root`, so there only missing directories are made and synced. */
  constructor(syncs: DirectorySyncs, root: string, mode: number) {
    this.#syncs = syncs;
    this.#root = root;
    this.#mode = mode;
  }

  /** Resolves when the Maildir can be delivered to. Rejects with the error of the system. */
  ready(maildir: string, calls: FileCalls): Promise<void> {
    const known = this.#ready.get(maildir);
    if (known !== undefined) return known;
    const made: Promise<void> = this.#makeMaildir(maildir, calls).catch((error: unknown) => {
      if (this.#ready.get(maildir) === made) this.#ready.delete(maildir);
      throw error;
    });
    this.#ready.set(maildir, made);
    for (const [oldest] of this.#ready) {
      if (this.#ready.size <= REMEMBERED_MAX) break;
      this.#ready.delete(oldest);
    }
    return made;
  }

  /** Call it when the Maildir has been removed or does not answer: `ready` then checks it anew. */
  forget(maildir: string): void {
    this.#ready.delete(maildir);
  }

  /** Makes the root itself, if it is missing. */
  makeRoot(calls: FileCalls): Promise<void> {
    return this.#make(this.#root, calls);
  }

  async #makeMaildir(maildir: string, calls: FileCalls): Promise<void> {
    await this.#make(maildir, calls);
    for (const name of ["tmp", "new", "cur"]) await this.#mkdir(join(maildir, name), calls);
    await this.#syncs.sync(maildir, calls);
  }

  /** From the top down, so that each directory exists before an entry is made in it. */
  async #make(path: string, calls: FileCalls): Promise<void> {
    const belowRoot = path.startsWith(`${this.#root}/`);
    if (belowRoot) await this.#make(dirname(path), calls);
    const isNew = await this.#mkdir(path, calls);
    if (isNew || belowRoot) await this.#syncs.sync(dirname(path), calls);
  }

  /** False if the directory existed. */
  async #mkdir(path: string, calls: FileCalls, mayMakeParent = true): Promise<boolean> {
    try {
      await calls.mkdir(path, this.#mode);
      return true;
    } catch (error) {
      const code = errorCode(error);
      if (code === "EEXIST") return false;
      if (code !== "ENOENT" || !mayMakeParent) throw error;
    }
    await this.#make(dirname(path), calls);
    return this.#mkdir(path, calls, false);
  }
}

/** Users who may read the files may enter their directories: 0600 gives 0700, 0640 gives 0750. */
export function directoryMode(fileMode: number): number {
  return fileMode | ((fileMode & 0o444) >> 2);
}
