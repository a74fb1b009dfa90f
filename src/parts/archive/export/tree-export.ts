// An export as a directory: Maildirs, or .eml files, octet for octet those of the archive.
//
// Invariants:
//
// - The directory is PATH.partial until it is whole. A file in it is whole from the moment that it has its name there, so
//   a run that was cut off goes on where it was.
// - No file that exists is written over.

import { constants } from "node:fs";
import { lstat, mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { execFile } from "node:child_process";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { syncDirectory } from "../../../base/durable/directory.ts";
import { errorCode } from "../../../base/error-code.ts";
import { exportMarkText, MARK_FILE, parseExportMark } from "../formats/export-mark.ts";
import { folderDirectoryOf } from "../model/folder-name.ts";
import { accountDirectory } from "../model/maildir-place.ts";
import type { ExportWriter, OpenedMessage } from "./exported-message.ts";
import { emlPath, type Layout } from "./file-names.ts";
import { exists, partialOf } from "./output-file.ts";
import { OutputTaken } from "./output-taken.ts";

const run = promisify(execFile);
const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;
/** Files that are being written. */
const DRAFTS = ".unseen-drafts";
const NEW = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;

export type TreeFormat = "maildir" | "eml";

/** Throws OutputTaken. */
export async function treeExport(
  path: string,
  format: TreeFormat,
  layout: Layout,
): Promise<ExportWriter> {
  const root = partialOf(path);
  if (await exists(path)) throw new OutputTaken(path);
  const levels = format === "maildir" ? 2 : 1;
  await begin(root, {
    accountLevels: layout.isFlat ? 0 : levels,
    query: `${format} ${layout.query}`,
  });
  const made = new Set<string>();
  const make = async (directory: string): Promise<void> => {
    if (made.has(directory)) return;
    await mkdir(directory, { recursive: true, mode: DIRECTORY_MODE });
    made.add(directory);
  };
  let count = 0;
  return {
    async add(opened) {
      const target = format === "eml" ? join(root, emlPath(opened.message, layout)) : undefined;
      const place = target ?? (await maildirPlace(root, opened, layout, make));
      if (await isThere(place, opened.size)) return;
      await make(dirname(place));
      const draft = join(root, DRAFTS, `${process.pid}-${count++}`);
      await write(opened, draft);
      await rename(draft, place);
    },
    finish: () => finish(root, path),
    abandon: () => rm(join(root, DRAFTS), { recursive: true, force: true }),
  };
}

/** A directory of an earlier run must be of the same export. */
async function begin(
  root: string,
  mark: { readonly accountLevels: number; readonly query: string },
): Promise<void> {
  const text = exportMarkText(mark);
  try {
    await mkdir(root, { mode: DIRECTORY_MODE });
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
    const before = await readFile(join(root, MARK_FILE), "utf8").catch(() => "");
    if (parseExportMark(before) === undefined || before !== text) {
      throw new OutputTaken(root, "it is not of this export; remove it or choose another path");
    }
  }
  await writeFile(join(root, MARK_FILE), text, { mode: FILE_MODE });
  await rm(join(root, DRAFTS), { recursive: true, force: true });
  await mkdir(join(root, DRAFTS), { mode: DIRECTORY_MODE });
}

/** In the directory, new/ or cur/, and under the name that the file has in the archive. */
async function maildirPlace(
  root: string,
  { message, path }: OpenedMessage,
  { isFlat }: Layout,
  make: (directory: string) => Promise<void>,
): Promise<string> {
  const account = isFlat ? root : accountDirectory(root, message.account);
  const maildir = join(account, folderDirectoryOf(message.folder));
  for (const directory of [account, maildir]) {
    for (const part of ["tmp", "new", "cur"]) await make(join(directory, part));
  }
  return join(maildir, basename(dirname(path)), basename(path));
}

async function isThere(path: string, size: number): Promise<boolean> {
  try {
    const status = await lstat(path);
    if (status.isFile() && status.size === size) return true;
    throw new OutputTaken(path, "it exists and is another message");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}

async function write(opened: OpenedMessage, draft: string): Promise<void> {
  try {
    await using file = await open(draft, NEW, FILE_MODE);
    for await (const piece of opened.octets()) await file.writeFile(piece);
    await file.utimes(opened.time / 1000, opened.time / 1000);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

/** One sync of the whole file system costs less than one for each file. */
async function finish(root: string, path: string): Promise<void> {
  await rm(join(root, DRAFTS), { recursive: true, force: true });
  await run("sync", ["-f", root]);
  if (await exists(path)) throw new OutputTaken(path);
  await rename(root, path);
  await syncDirectory(dirname(path));
}
