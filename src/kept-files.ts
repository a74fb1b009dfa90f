// Small files in which the relay keeps what it knows over a restart. Each is replaced whole: after a power cut there is
// the old one or the new one, and never half of it.

import { mkdir, open, readdir, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { errorCode } from "./error-code.ts";

/** tmp, fsync, rename, fsync of the directory, which is made when it is missing. Nobody else may read it. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const directory = dirname(path);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.tmp`;
  {
    await using file = await open(temporary, "w", 0o600);
    await file.writeFile(text);
    await file.sync();
  }
  await rename(temporary, path);
  await using parent = await open(directory, "r");
  await parent.sync();
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
