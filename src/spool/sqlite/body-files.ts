// Removes body files whose message has left the database. If a file cannot be removed, it is tried again together with
// the next one, and at the latest at the next start.

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

  /** Returns the body files named like a message id. Other files in the directory are left alone. */
  names(): MessageId[] {
    return readdirSync(bodyDirectory(this.#spoolDirectory)).filter((name) => IS_ID.test(name));
  }

  /** Removes the files of messages that are removed already. Never throws, because that transaction has succeeded. */
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
