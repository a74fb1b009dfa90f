// Changes of the users file: read, changed, and replaced whole, under a lock.
//
// Invariants:
// - Two writers at once lose nothing: the lock is SQLite's, on a file beside it, so the kernel releases it when its
//   holder dies, even by SIGKILL.
// - A reader finds the old file or the new one, and never half of one.
// - The file keeps its owner and its mode. A new one is 0600 and belongs to the relay's user.

import { randomBytes } from "node:crypto";
import { closeSync, fchmodSync, fchownSync, openSync } from "node:fs";
import { type FileHandle, open, readdir, readFile, realpath, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { syncDirectory } from "../base/durable/directory.ts";
import { type ExclusiveLock, lockExclusively } from "../base/durable/exclusive-lock.ts";
import { errorCode } from "../base/error-code.ts";
import type { SystemUser } from "../base/users.ts";
import { PasswdFile } from "./passwd-file.ts";

/** Milliseconds that a writer waits for another one. */
const PATIENCE = 30_000;
/** Milliseconds between two attempts. */
const PAUSE = 20;

export interface UsersOwner {
  /** The owner of new files, if root writes. Absent: root. */
  readonly owner?: SystemUser | undefined;
}

/**
 * Calls `change` with the users in the file. Replaces the file if it returns true, and removes it if it returns
 * "remove". A file that is missing counts as empty. Rejects if the file cannot be read or written, or if `change` throws;
 * then the file is unchanged.
 */
export async function changeUsers(
  file: string,
  { owner }: UsersOwner,
  change: (users: PasswdFile) => boolean | "remove",
): Promise<void> {
  const path = await resolved(file);
  const lock = await lockOf(path, owner);
  try {
    await removeDrafts(path);
    await using before = await opened(path);
    const octets = before === undefined ? Buffer.alloc(0) : await before.readFile();
    const users = new PasswdFile(octets);
    const changed = change(users);
    if (changed === "remove") return await remove(path);
    if (!changed || users.octets.equals(octets)) return;
    await replace(path, users, before, owner);
  } finally {
    lock.release();
  }
}

/** Reads the file. A file that is missing counts as empty. */
export async function readUsers(file: string): Promise<PasswdFile> {
  try {
    return new PasswdFile(await readFile(file));
  } catch (error) {
    if (errorCode(error) === "ENOENT") return new PasswdFile(Buffer.alloc(0));
    throw error;
  }
}

/** The file that a symbolic link leads to, so that the link stays. */
async function resolved(file: string): Promise<string> {
  try {
    return await realpath(file);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return file;
    throw error;
  }
}

async function lockOf(path: string, owner: SystemUser | undefined): Promise<ExclusiveLock> {
  const file = `${path}.lock`;
  createLock(file, owner);
  const until = performance.now() + PATIENCE;
  for (;;) {
    const lock = lockExclusively(file);
    if (lock !== undefined) return lock;
    if (performance.now() > until) throw new Error(`another program holds ${file}`);
    await sleep(PAUSE);
  }
}

function createLock(file: string, owner: SystemUser | undefined): void {
  let descriptor: number;
  try {
    descriptor = openSync(file, "ax", 0o600);
  } catch (error) {
    if (errorCode(error) === "EEXIST") return;
    throw error;
  }
  try {
    fchmodSync(descriptor, 0o600);
    if (owner !== undefined && process.getuid?.() === 0) {
      fchownSync(descriptor, owner.uid, owner.gid);
    }
  } finally {
    closeSync(descriptor);
  }
}

/** What a writer that was killed has left. No other writer is at work: the lock is held. */
async function removeDrafts(path: string): Promise<void> {
  const directory = dirname(path);
  const name = basename(path);
  for (const found of await readdir(directory)) {
    if (!found.startsWith(`.${name}.`) || !/\.[0-9a-f]{12}\.tmp$/.test(found)) continue;
    await rm(join(directory, found), { force: true });
  }
}

async function opened(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function remove(path: string): Promise<void> {
  await rm(path, { force: true });
  await syncDirectory(dirname(path));
}

async function replace(
  path: string,
  users: PasswdFile,
  before: FileHandle | undefined,
  owner: SystemUser | undefined,
): Promise<void> {
  const directory = dirname(path);
  const draft = join(directory, `.${basename(path)}.${randomBytes(6).toString("hex")}.tmp`);
  const status = await before?.stat();
  const holder = status ?? owner;
  try {
    await using file = await open(draft, "wx", 0o600);
    await file.writeFile(users.octets);
    if (holder !== undefined && process.getuid?.() === 0) await file.chown(holder.uid, holder.gid);
    await file.chmod(modeOf(status?.mode, users));
    await file.sync();
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await syncDirectory(directory);
}

/** A file with secrets of second factors is closed to all who are neither its owner nor of its group. */
function modeOf(before: number | undefined, { users }: PasswdFile): number {
  const mode = before === undefined ? 0o600 : before & 0o777;
  return users.some(({ totp }) => totp !== undefined) ? mode & 0o770 : mode;
}
