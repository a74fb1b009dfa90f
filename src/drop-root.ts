// Becoming an ordinary user: the relay, once the privileged ports are bound; relayctl, before it writes to a spool.
// What root has created in the spool before goes to the relay's user, so that a relay which ran as root for a day can
// be given a user later.

import {
  accessSync,
  chownSync,
  constants,
  lchownSync,
  lstatSync,
  readdirSync,
  readFileSync,
} from "node:fs";
import { realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { WrittenDirectory } from "./contract.ts";
import { errorCode } from "./error-code.ts";
import { describeError, type Log } from "./log.ts";
import { makeMissing, syncDirectoryNow } from "./spool/directory.ts";

interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Undefined when there is no such user in /etc/passwd. */
export function findUser(name: string): Account | undefined {
  for (const line of readFileSync("/etc/passwd", "utf8").split("\n")) {
    const [user, , uid, gid] = line.split(":");
    if (user === name && uid !== undefined && gid !== undefined) {
      return { uid: Number(uid), gid: Number(gid) };
    }
  }
  return undefined;
}

export interface Leaving {
  readonly user: string;
  readonly spoolDirectory: string;
  /** Where that user will write besides: made where it is missing, and left as it is where it is not. */
  readonly directories: readonly WrittenDirectory[];
  readonly log: Log;
}

/**
 * Does nothing unless the process is root. Throws when there is no such user, or the spool cannot be made; another
 * directory that cannot be made is a warning.
 */
export function dropRoot({ user, spoolDirectory, directories, log }: Leaving): void {
  if (process.getuid?.() !== 0) return;
  const account = findUser(user);
  if (account === undefined) throw new Error(`there is no user "${user}" in /etc/passwd`);
  makeFor(account, spoolDirectory, 0o700);
  handOver(realpathSync(spoolDirectory), account);
  for (const { path, mode } of directories) {
    try {
      makeFor(account, path, mode);
    } catch (error) {
      log.event("relay.warning", { what: `cannot create ${path}: ${describeError(error)}` });
    }
  }
  become(account);
}

/** Whether there is nothing yet, or a directory that this process may put something into. */
export function mayWrite(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return true;
  } catch (error) {
    return errorCode(error) === "ENOENT";
  }
}

function makeFor({ uid, gid }: Account, path: string, mode: number): void {
  for (const made of makeMissing(path, mode)) {
    chownSync(made, uid, gid);
    syncDirectoryNow(dirname(made));
  }
}

/** Follows no link: what a spool's owner has linked to is not his. */
export function handOver(path: string, account: Account): void {
  const found = lstatSync(path);
  if (found.uid !== account.uid) lchownSync(path, account.uid, account.gid);
  if (!found.isDirectory()) return;
  for (const name of readdirSync(path)) handOver(join(path, name), account);
}

/** What root does to a spool by hand leaves nothing in it that its relay could not write to. */
export function becomeOwnerOf(path: string): void {
  if (process.getuid?.() === 0) become(statSync(path));
}

function become({ uid, gid }: Account): void {
  process.setgroups?.([gid]);
  process.setgid?.(gid);
  process.setuid?.(uid);
}
