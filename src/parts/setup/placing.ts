// Writes the files of a new relay: all of them or none, and none over a file that exists.
//
// Invariants:
// - Everything that can be checked is checked before the first write.
// - A file has its final owner and mode before it has its name, and a secret is never readable for others, not even for
//   a moment.
// - After an error, what was written is removed again, the directories too.

import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmdirSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { randomBytes } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { firstMissing, syncDirectoryNow } from "../../base/durable/directory.ts";
import { errorCode } from "../../base/error-code.ts";
import { type SystemUser, userName } from "../../base/users.ts";
import { CommandError, EXIT } from "../../contract/exit.ts";

interface Planned {
  readonly path: string;
  readonly mode: number;
  /** Absent: the user that runs the command. */
  readonly owner?: SystemUser | undefined;
}

export interface PlannedFile extends Planned {
  readonly text: string;
}

export interface Plan {
  /** Made if they are missing. Parents come first. */
  readonly directories: readonly Planned[];
  /** In the order in which they get their names. */
  readonly files: readonly PlannedFile[];
}

/** Throws CommandError if a file exists, or if a directory cannot be used. Changes nothing. */
export function checkPlan({ directories, files }: Plan): void {
  for (const directory of directories) checkDirectory(directory);
  for (const { path } of files) requireFree(path);
}

export function requireFree(path: string): void {
  if (isTaken(path)) wrongPlace(path, "exists already");
}

/** Whether the name is there: a file, a directory, or a link that leads nowhere. */
export function isTaken(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    // A file stands where a directory should be: that is found when the directory is checked.
    if (errorCode(error) === "ENOTDIR") return false;
    throw notWritten(path, error);
  }
}

function checkDirectory({ path, owner }: Planned): void {
  const first = firstMissing(path);
  if (first !== undefined) {
    // A link without a target has a name, and mkdir would not follow it.
    if (isTaken(first)) wrongPlace(first, "is a link that leads nowhere");
    const above = dirname(first);
    if (!statSync(above).isDirectory()) wrongPlace(above, "is not a directory");
    checkWritable(above);
    return;
  }
  const there = statSync(path);
  if (!there.isDirectory()) wrongPlace(path, "is not a directory");
  if (owner !== undefined && owner.uid !== there.uid) {
    const [has, needs] = [userName(there.uid), userName(owner.uid)];
    const what = `belongs to ${has} and must belong to ${needs}`;
    wrongPlace(path, `${what}; change that, or choose another directory`);
  }
  checkWritable(path);
}

function wrongPlace(path: string, what: string): never {
  throw new CommandError(`${path} ${what}; nothing was written`, EXIT.notDone);
}

function checkWritable(path: string): void {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw notWritten(path, error);
  }
}

const CAUSES: Readonly<Record<string, string>> = {
  ELOOP: "its links lead in a circle",
  EEXIST: "another program has just written it",
  EACCES: 'permission denied; run the command as root, or choose another "--directory"',
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  ENOTDIR: "a file is in the way",
  ENAMETOOLONG: "the path is too long",
};

function notWritten(path: string, error: unknown): CommandError {
  const code = errorCode(error) ?? "";
  const why = CAUSES[code] ?? (code === "" ? String(error) : code);
  return new CommandError(`cannot write to ${path}: ${why}; nothing was written`, EXIT.unavailable);
}

/** A signal does not end the process between two files. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

function ignore(): void {
  // The files are placed within milliseconds.
}

/** Makes the directories and writes the files of a plan that was checked. */
export function carryOut({ directories, files }: Plan): void {
  const undo: (() => void)[] = [];
  let at = "";
  for (const signal of SIGNALS) process.on(signal, ignore);
  try {
    for (const directory of directories) {
      at = directory.path;
      makeDirectory(directory, undo);
    }
    const drafts = files.map((file) => {
      at = file.path;
      return writeDraft(file, undo);
    });
    for (const [index, { path }] of files.entries()) {
      at = path;
      linkSync(drafts[index] ?? "", path);
      undo.push(() => unlinkSync(path));
    }
    for (const draft of drafts) unlinkSync(draft);
    for (const path of new Set(files.map((file) => dirname(file.path)))) syncDirectoryNow(path);
  } catch (error) {
    for (const step of undo.toReversed()) attempt(step);
    throw notWritten(at, error);
  } finally {
    for (const signal of SIGNALS) process.off(signal, ignore);
  }
}

/** What is to be removed may be gone already. */
function attempt(step: () => void): void {
  try {
    step();
  } catch (error) {
    if (errorCode(error) !== "ENOENT") process.stderr.write(`relayctl: ${String(error)}\n`);
  }
}

function makeDirectory({ path, mode, owner }: Planned, undo: (() => void)[]): void {
  for (let missing = firstMissing(path); missing !== undefined; missing = firstMissing(path)) {
    const made = missing;
    mkdirSync(made, { mode: 0o700 });
    undo.push(() => rmdirSync(made));
    // A parent that is not planned lets every user through to what is below it.
    const wanted = made === path ? { mode, owner } : { mode: 0o755 };
    settle(made, constants.O_RDONLY | constants.O_DIRECTORY, wanted);
    syncDirectoryNow(dirname(made));
  }
}

/** Owner, mode and sync, by descriptor. */
function settle(path: string, flags: number, { mode, owner }: Omit<Planned, "path">): void {
  const descriptor = openSync(path, flags | constants.O_NOFOLLOW);
  try {
    if (owner !== undefined) fchownSync(descriptor, owner.uid, owner.gid);
    fchmodSync(descriptor, mode);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Writes the file under another name in its directory, and returns that name. */
function writeDraft({ path, text, mode, owner }: PlannedFile, undo: (() => void)[]): string {
  const draft = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}`);
  // On a full disk the file exists although the write fails.
  undo.push(() => unlinkSync(draft));
  writeFileSync(draft, text, { flag: "wx", mode: 0o600 });
  settle(draft, constants.O_WRONLY, { mode, owner });
  return draft;
}
