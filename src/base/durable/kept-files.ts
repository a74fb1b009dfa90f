// Small files in which the relay keeps its knowledge across a restart. Each is replaced as a whole: after a power cut
// there is the old file or the new one, never half of one.

import { randomInt } from "node:crypto";
import { mkdir, open, readdir, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { errorCode } from "../error-code.ts";

/**
 * Writes a temporary file, syncs it, renames it and syncs the directory. A missing directory is created. Only the owner
 * may read the file, unless `mode` says otherwise.
 */
export async function replaceFile(path: string, text: string, mode = 0o600): Promise<void> {
  const directory = dirname(path);
  const made = await mkdir(directory, { recursive: true, mode: 0o700 });
  // Two writers at once each have a temporary file of their own.
  const temporary = `${path}.${process.pid}.${randomInt(2 ** 32)}.tmp`;
  {
    await using file = await open(temporary, "wx", mode);
    await file.writeFile(text);
    await file.sync();
  }
  await rename(temporary, path);
  await syncDirectory(directory);
  if (made !== undefined) await syncDirectory(dirname(made));
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, "r");
  await directory.sync();
}

/** The names in a directory; an empty list when the directory does not exist yet. */
export async function filesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}
