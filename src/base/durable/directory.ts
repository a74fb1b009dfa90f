// Directories that survive a power cut: a new name is durable only when the directory that holds it is synced.

import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";

/** A directory that must exist. */
export interface WrittenDirectory {
  readonly path: string;
  /** Permissions of the directories that the relay creates. */
  readonly mode: number;
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Blocks the process. Only for start-up and commands, where no session is served. */
export function syncDirectoryNow(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** Creates `path` and its parents as needed, mode 0700, and syncs the parent of each that was new. */
export async function makeDirectory(path: string): Promise<void> {
  for (const made of makeMissing(path)) await syncDirectory(dirname(made));
}

/**
 * Creates `path` and its missing parents, and returns those that it created. Node's own recursive mkdir never ends
 * below /proc, where the parent exists and the system says that it does not.
 */
export function makeMissing(path: string, mode = 0o700): string[] {
  const missing = missingOf(path);
  for (const one of missing) makeOne(one, mode);
  return missing;
}

/** The topmost missing directory on the way to `path`; undefined when `path` exists. */
export function firstMissing(path: string): string | undefined {
  return missingOf(path)[0];
}

function missingOf(path: string): string[] {
  const missing: string[] = [];
  for (let at = path; !existsSync(at); at = dirname(at)) missing.unshift(at);
  return missing;
}

/** Creates the file if it is missing, mode 0600. SQLite itself would create it readable for all users. */
export function createPrivate(file: string): void {
  if (!existsSync(file)) closeSync(openSync(file, "a", 0o600));
}

/** Another process may have created it in the meantime. */
function makeOne(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if (!existsSync(path)) throw error;
  }
}
