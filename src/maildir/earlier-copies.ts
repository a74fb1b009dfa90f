// Finds the file of an attempt that did not live to say that it had delivered. It is asked only after such a death, so
// a delivery in normal times reads no directory.
//
// Invariant: a file that is given was whole when it got its name, because it is synced before it is renamed into new/;
// its name may not be on disk yet, and is the asker's to sync.

import { join } from "node:path";
import { errorCode } from "../base/error-code.ts";
import type { FileCalls } from "../base/durable/file-calls.ts";
import { keyIn } from "./file-names.ts";

/** Keys of deliveries, and the paths of their files. */
type Copies = ReadonlyMap<string, string>;

export class EarlierCopies {
  readonly #reading = new Map<string, Promise<Copies>>();

  /** The path of the file, in new/ or in cur/; undefined when there is none, or a reader has moved it elsewhere. */
  async find(maildir: string, key: string, calls: FileCalls): Promise<string | undefined> {
    // Many ask at once after a crash: who comes while the directory is read takes part. Nobody else delivers his
    // message meanwhile.
    let reading = this.#reading.get(maildir);
    if (reading === undefined) {
      reading = this.#read(maildir, calls).finally(() => this.#reading.delete(maildir));
      this.#reading.set(maildir, reading);
    }
    return (await reading).get(key);
  }

  /** new/ first: what a reader moves from there to cur/ meanwhile is met again. */
  async #read(maildir: string, calls: FileCalls): Promise<Copies> {
    const copies = new Map<string, string>();
    for (const part of ["new", "cur"]) {
      const directory = join(maildir, part);
      try {
        for await (const name of calls.names(directory)) {
          const key = keyIn(name);
          if (key !== undefined) copies.set(key, join(directory, name));
        }
      } catch (error) {
        if (errorCode(error) !== "ENOENT") throw error;
      }
    }
    return copies;
  }
}
