// Small files in which the relay keeps what it knows over a restart. Each is replaced whole: after a power cut there is
// the old one or the new one, and never half of it.

import { randomInt } from "node:crypto";
import { mkdir, open, readdir, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { errorCode } from "../error-code.ts";

/**
 * tmp, fsync, rename, fsync of the directory, which is made when it is missing. Nobody else may read it, unless `mode`
 * says so.
 */
export async function replaceFile(path: string, text: string, mode = 0o600): Promise<void> {
  const directory = dirname(path);
  const made = await mkdir(directory, { recursive: true, mode: 0o700 });
  // Two may write at once: each its own.
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

/** Names of what is in a directory; none when it is not there yet. */
export async function filesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}
