// Finds the file of an attempt that was killed before it could report its delivery. It is called only after such an end,
// so a delivery in normal times reads no directory.
//
// Invariant: a file that is found was whole when it got its name, because it is synced before it is renamed into new/.
// Its name may not be on disk yet; the caller must sync the directory.

import { join } from "node:path";
import { errorCode } from "../base/error-code.ts";
import type { FileCalls } from "../base/durable/file-calls.ts";
import { keyIn } from "./file-names.ts";

/** Keys of deliveries, and the paths of their files. */
type Copies = ReadonlyMap<string, string>;

export class EarlierCopies {
  readonly #reading = new Map<string, Promise<Copies>>();

  /** The path of the file, in new/ or in cur/; undefined if it does not exist, or a reader has moved it elsewhere. */
  async find(maildir: string, key: string, calls: FileCalls): Promise<string | undefined> {
    // After a crash many deliveries ask at once: all that ask while the directory is being read share the reading. Only
    // this attempt delivers its message meanwhile.
    let reading = this.#reading.get(maildir);
    if (reading === undefined) {
      reading = this.#read(maildir, calls).finally(() => this.#reading.delete(maildir));
      this.#reading.set(maildir, reading);
    }
    return (await reading).get(key);
  }

  /** new/ first: a file that a reader moves from there to cur/ meanwhile is found in cur/. */
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
