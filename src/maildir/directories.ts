// Makes Maildirs and whatever is missing above them, durably. What has been made or seen once is remembered, so
// a delivery into a Maildir in use costs no call at all.
//
// Invariant: `ready` resolves only when the entries of all directories below the root are on disk, also of those
// that were there already: their maker may have been killed before it synced.

import { dirname, join } from "node:path";
import type { DirectorySyncs } from "./directory-syncs.ts";
import { errorCode } from "../error-code.ts";
import type { FileCalls } from "./file-calls.ts";

const REMEMBERED_MAX = 10_000;

export class Directories {
  readonly #calls: FileCalls;
  readonly #syncs: DirectorySyncs;
  readonly #root: string;
  readonly #mode: number;
  readonly #ready = new Map<string, Promise<void>>();

  /** Above `root`, which is in no message's hands, only what is missing is made and synced. */
  constructor(calls: FileCalls, syncs: DirectorySyncs, root: string, mode: number) {
    this.#calls = calls;
    this.#syncs = syncs;
    this.#root = root;
    this.#mode = mode;
  }

  /** Waits until the Maildir can be delivered to. Rejects with the error of the system. */
  ready(maildir: string): Promise<void> {
    const known = this.#ready.get(maildir);
    if (known !== undefined) return known;
    const made = this.#makeMaildir(maildir).catch((error: unknown) => {
      this.#ready.delete(maildir);
      throw error;
    });
    this.#ready.set(maildir, made);
    for (const [oldest] of this.#ready) {
      if (this.#ready.size <= REMEMBERED_MAX) break;
      this.#ready.delete(oldest);
    }
    return made;
  }

  /** Somebody has removed it. */
  forget(maildir: string): void {
    this.#ready.delete(maildir);
  }

  async #makeMaildir(maildir: string): Promise<void> {
    await this.#make(maildir);
    for (const name of ["tmp", "new", "cur"]) await this.#mkdir(join(maildir, name));
    await this.#syncs.sync(maildir);
  }

  /** From the top down, so that each directory is there when its entry is made. */
  async #make(path: string): Promise<void> {
    const belowRoot = path.startsWith(`${this.#root}/`);
    if (belowRoot) await this.#make(dirname(path));
    const isNew = await this.#mkdir(path);
    if (isNew || belowRoot) await this.#syncs.sync(dirname(path));
  }

  /** False when it was there. */
  async #mkdir(path: string, mayMakeParent = true): Promise<boolean> {
    try {
      await this.#calls.mkdir(path, this.#mode);
      return true;
    } catch (error) {
      const code = errorCode(error);
      if (code === "EEXIST") return false;
      if (code !== "ENOENT" || !mayMakeParent) throw error;
    }
    await this.#make(dirname(path));
    return this.#mkdir(path, false);
  }
}

/** Who may read the files may enter their directories: 0600 gives 0700, 0640 gives 0750. */
export function directoryMode(fileMode: number): number {
  return fileMode | ((fileMode & 0o444) >> 2);
}
