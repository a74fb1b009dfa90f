// The lock that allows one relay to a spool. It is SQLite's own lock on a file beside the spool, so the kernel releases
// it when its holder dies, even by SIGKILL.

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createPrivate } from "../../base/durable/directory.ts";
import { SpoolInUse } from "../spool.ts";

export interface SpoolLock {
  release(): void;
}

const SQLITE_BUSY = 5;

/** Takes the lock. Throws SpoolInUse if another process holds it. */
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
