// The file of a message as it lies in its folder now: a reader may have moved it to cur/, and changed its flags, since the
// index has seen it.

import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "../../../base/error-code.ts";
import { folderDirectoryOf } from "../model/folder-name.ts";
import { accountDirectory } from "../model/maildir-place.ts";
import type { ExportedMessage } from "./exported-message.ts";

/** Undefined if there is no file with the unique name. */
export async function presentPath(
  root: string,
  message: ExportedMessage & { readonly path?: string | null },
): Promise<string | undefined> {
  const { account, folder, name, path } = message;
  if (typeof path === "string" && (await isThere(path))) return path;
  const maildir = join(accountDirectory(root, account), folderDirectoryOf(folder));
  for (const part of ["new", "cur", "new"]) {
    const directory = join(maildir, part);
    const file = (await namesIn(directory)).find(
      (one) => one === name || one.startsWith(`${name}:`),
    );
    if (file !== undefined) return join(directory, file);
  }
  return undefined;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}
