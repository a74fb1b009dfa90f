// The lock that allows one relay to a spool: a file beside it.

import { join } from "node:path";
import { type ExclusiveLock, lockExclusively } from "../../base/durable/exclusive-lock.ts";
import { SpoolError, SpoolInUse } from "../spool.ts";

/** Throws SpoolInUse when another process holds it, and SpoolError when SQLite cannot have it. */
export function lockSpool(directory: string): ExclusiveLock {
  const lock = lockIn(directory);
  if (lock === undefined) throw new SpoolInUse(directory);
  return lock;
}

function lockIn(directory: string): ExclusiveLock | undefined {
  try {
    return lockExclusively(join(directory, "lock"));
  } catch (error) {
    throw new SpoolError(`cannot open the spool ${directory}`, false, error);
  }
}
