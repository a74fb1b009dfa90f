// One relay to a spool. The lock is SQLite's own on a file beside the spool, so the kernel lets go of it when
// its holder dies, however it dies.

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createPrivate } from "../../base/durable/directory.ts";
import { SpoolInUse } from "../spool.ts";

export interface SpoolLock {
  release(): void;
}

const SQLITE_BUSY = 5;

/** Throws SpoolInUse when somebody else holds it. */
export function lockSpool(directory: string): SpoolLock {
  const file = join(directory, "lock");
  createPrivate(file);
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY) {
      throw new SpoolInUse(directory);
    }
    throw error;
  }
  return { release: () => database.close() };
}
