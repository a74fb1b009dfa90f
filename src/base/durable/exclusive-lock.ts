// A lock that one process holds at a time. It is SQLite's own lock on a file, so the kernel releases it when its holder
// dies, even by SIGKILL.

import { DatabaseSync } from "node:sqlite";
import { createPrivate } from "./directory.ts";

export interface ExclusiveLock {
  release(): void;
}

const SQLITE_BUSY = 5;

/** Creates the file if it is missing. Undefined when another process holds the lock. Throws when SQLite cannot have it. */
export function lockExclusively(file: string): ExclusiveLock | undefined {
  createPrivate(file);
  const holder = new DatabaseSync(file, { timeout: 0 });
  try {
    holder.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return { release: () => holder.close() };
  } catch (error) {
    holder.close();
    if (error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY) {
      return undefined;
    }
    throw error;
  }
}
