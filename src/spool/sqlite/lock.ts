// The lock that allows one relay to a spool. It is SQLite's own lock on a file beside the spool, so the kernel releases
// it when its holder dies, even by SIGKILL.

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createPrivate } from "../../base/durable/directory.ts";
import { SpoolError, SpoolInUse } from "../spool.ts";

export interface SpoolLock {
  release(): void;
}

const SQLITE_BUSY = 5;

/** Throws SpoolInUse when somebody else holds it, and SpoolError when SQLite cannot have it. */
export function lockSpool(directory: string): SpoolLock {
  const file = join(directory, "lock");
  createPrivate(file);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { timeout: 0 });
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    database?.close();
    if (error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY) {
      throw new SpoolInUse(directory);
    }
    throw new SpoolError(`cannot open the spool ${directory}`, false, error);
  }
  const holder = database;
  return { release: () => holder.close() };
}
