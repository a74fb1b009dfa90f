// Makes Maildirs and all missing directories above them, durably. It remembers Maildirs that are ready, so
// a delivery into a Maildir in use costs no call at all.
//
// Invariant: `ready` resolves only when the entries of all directories below the root are on disk. This includes
// directories that exist already: the process that made them may have been killed before it synced.

import { join } from "node:path";
import { DirectoryMaker } from "../base/durable/directory-maker.ts";
import type { DirectorySyncs } from "../base/durable/directory-syncs.ts";
import type { FileCalls } from "../base/durable/file-calls.ts";

const REMEMBERED_MAX = 10_000;

export class Directories {
  readonly #syncs: DirectorySyncs;
  readonly #maker: DirectoryMaker;
  readonly #ready = new Map<string, Promise<void>>();

  constructor(syncs: DirectorySyncs, root: string, mode: number) {
    this.#syncs = syncs;
    this.#maker = new DirectoryMaker(syncs, root, mode);
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

  async #makeMaildir(maildir: string, calls: FileCalls): Promise<void> {
    await this.#maker.make(maildir, calls);
    for (const name of ["tmp", "new", "cur"]) await this.#maker.mkdir(join(maildir, name), calls);
    await this.#syncs.sync(maildir, calls);
  }
}

/** Users who may read the files may enter their directories: 0600 gives 0700, 0640 gives 0750. */
export function directoryMode(fileMode: number): number {
  return fileMode | ((fileMode & 0o444) >> 2);
}
