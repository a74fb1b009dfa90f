// The bodies that stand beside the database, as far as they are to go: each is removed when its message has gone.
// A file that cannot be removed just now is tried again with the next one, and at the latest at the next start.

import { readdirSync, rmSync } from "node:fs";
import type { MessageId } from "../../mail/envelope.ts";
import { bodyDirectory, bodyFile } from "./body.ts";

const IS_ID = /^[\da-z]{10}$/;

export class BodyFiles {
  readonly #spoolDirectory: string;
  readonly #ownerless = new Set<MessageId>();

  constructor(spoolDirectory: string) {
    this.#spoolDirectory = spoolDirectory;
  }

  /** Those that bear the name of a message; what else lies in the directory is not ours. */
  names(): MessageId[] {
    return readdirSync(bodyDirectory(this.#spoolDirectory)).filter((name) => IS_ID.test(name));
  }

  /** The messages are gone for good. Never throws: that would belie the transaction that removed them. */
  remove(ids: readonly MessageId[]): void {
    for (const id of ids) this.#ownerless.add(id);
    for (const id of this.#ownerless) {
      if (isRemoved(bodyFile(this.#spoolDirectory, id))) this.#ownerless.delete(id);
    }
  }
}

function isRemoved(file: string): boolean {
  try {
    rmSync(file, { force: true });
    return true;
  } catch {
    return false;
  }
}
