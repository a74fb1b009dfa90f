// Files that belong together, replaced in one go. All of them are written and synced under other names before the first
// takes its place, so an error on the way leaves every old file as it was.
//
// Invariants:
// - A reader sees the old file or the new one, never half of one.
// - A file that is replaced keeps its owner and mode. The command that writes may be run by root: a new file or
//   directory then gets the given owner. A symbolic link is replaced, and not followed.

import { randomBytes } from "node:crypto";
import { type FileHandle, lstat, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { chownSync } from "node:fs";
import { errorCode } from "../error-code.ts";
import type { SystemUser } from "../users.ts";
import { makeMissing, syncDirectory } from "./directory.ts";

export interface NewContent {
  readonly path: string;
  readonly text: string;
  /** Permissions of its directory, if that is missing. Absent: 0750. */
  readonly directoryMode?: number;
}

export interface NewFile {
  /** Permissions of a file that did not exist. */
  readonly mode: number;
  /** The owner of what is new, if root writes. Absent: root. */
  readonly owner?: SystemUser | undefined;
}

/** Rejects if one of the files cannot be written. Then, unless the error came between two renames, none has changed. */
export async function replaceFiles(files: readonly NewContent[], given: NewFile): Promise<void> {
  const drafts: { readonly draft: string; readonly path: string }[] = [];
  try {
    for (const file of files) {
      makeDirectoryFor(file, given);
      const draft = join(
        dirname(file.path),
        `.${basename(file.path)}.${randomBytes(6).toString("hex")}.tmp`,
      );
      drafts.push({ draft, path: file.path });
      await writeDraft(draft, file, given);
    }
    for (const { draft, path } of drafts) await rename(draft, path);
  } catch (error) {
    // The first error says more than one about what is left.
    await Promise.allSettled(drafts.map(({ draft }) => rm(draft, { force: true })));
    throw error;
  }
  for (const directory of new Set(files.map(({ path }) => dirname(path)))) {
    await syncDirectory(directory);
  }
}

function makeDirectoryFor({ path, directoryMode = 0o750 }: NewContent, { owner }: NewFile): void {
  const made = makeMissing(dirname(path), directoryMode);
  if (owner === undefined || process.getuid?.() !== 0) return;
  for (const directory of made) chownSync(directory, owner.uid, owner.gid);
}

async function writeDraft(
  draft: string,
  { path, text }: NewContent,
  { mode, owner }: NewFile,
): Promise<void> {
  const before = await statusOf(path);
  await using file = await open(draft, "wx", 0o600);
  await file.writeFile(text);
  await giveTo(file, before ?? owner);
  await file.chmod(before === undefined ? mode : before.mode & 0o777);
  await file.sync();
}

/** The owner and mode of a regular file; undefined without one. */
async function statusOf(
  path: string,
): Promise<(SystemUser & { readonly mode: number }) | undefined> {
  try {
    const status = await lstat(path);
    return status.isFile() ? status : undefined;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Only root may give files away. */
async function giveTo(file: FileHandle, owner: SystemUser | undefined): Promise<void> {
  if (owner !== undefined && process.getuid?.() === 0) await file.chown(owner.uid, owner.gid);
}
