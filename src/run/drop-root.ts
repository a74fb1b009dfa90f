// Becoming an ordinary user: the relay, once the privileged ports are bound; relayctl, before it opens a spool.
//
// Invariant: root gives away nothing but a directory that it has just made, by descriptor, in a place where only root
// can change names. Everything else is made by the user, with the user's own rights: nothing that he puts in the way,
// a symbolic or a hard link for example, leads root to a file that is not his.

import {
  closeSync,
  constants,
  existsSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  realpathSync,
  statSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { errorCode } from "../base/error-code.ts";
import { describeError, type Log } from "../observe/log.ts";
import {
  firstMissing,
  makeMissing,
  syncDirectoryNow,
  type WrittenDirectory,
} from "../base/durable/directory.ts";
import { findUser, findUserOf, type SystemUser } from "../base/users.ts";

export interface Leaving {
  readonly user: string;
  readonly spoolDirectory: string;
  /**
   * Where that user will write besides. What root has to make on the way there is made where it is missing, and left
   * as it is where it is not. Their file systems must answer: nothing else happens meanwhile.
   */
  readonly directories: readonly WrittenDirectory[];
  readonly log: Log;
}

/**
 * Does nothing unless the process is root. Throws when there is no such user, or the spool cannot be made; another
 * directory that cannot be made is a warning. Gives the directories that are for the user to make, if they are missing.
 */
export function dropRoot({ user, spoolDirectory, directories, log }: Leaving): WrittenDirectory[] {
  if (process.getuid?.() !== 0) return [];
  const account = findUser(user);
  if (account === undefined) throw new Error(`there is no user "${user}" in /etc/passwd`);
  const spool = { path: spoolDirectory, mode: 0o700 };
  makeFirst(spool, account);
  const begun = directories.filter((wanted) => {
    try {
      makeFirst(wanted, account);
      return true;
    } catch (error) {
      warnOfMissing(wanted, error, log);
      return false;
    }
  });
  become(account);
  makeSpool(spool, user);
  return begun;
}

export function warnOfMissing({ path }: WrittenDirectory, error: unknown, log: Log): void {
  log.event("relay.warning", { what: `cannot create ${path}: ${describeError(error)}` });
}

/** The first directory that is missing on the way to `path`, if it is for root to make. The user makes the rest. */
function makeFirst({ path, mode }: WrittenDirectory, { uid, gid }: SystemUser): void {
  const missing = firstMissing(resolve(path));
  if (missing === undefined || !isRootsAlone(dirname(missing))) return;
  const parent = realpathSync(dirname(missing));
  if (!isRootsAlone(parent)) return;
  const first = join(parent, basename(missing));
  mkdirSync(first, { mode });
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  const directory = openSync(first, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    fchownSync(directory, uid, gid);
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
  syncDirectoryNow(parent);
}

/**
 * Nobody but root can put something else in the place of what root makes there: this directory and all above it are
 * root's, and nobody else may write to them, or they are sticky, as /tmp is. So are those that a link leads to.
 */
function isRootsAlone(directory: string): boolean {
  const stats = lstatSync(directory);
  if (stats.uid !== 0) return false;
  if (stats.isSymbolicLink()) {
    const target = resolve(dirname(directory), readlinkSync(directory));
    return isRootsAlone(dirname(directory)) && isRootsAlone(target);
  }
  const isShared = (stats.mode & 0o022) !== 0 && (stats.mode & 0o1000) === 0;
  return !isShared && (directory === "/" || isRootsAlone(dirname(directory)));
}

function makeRest({ path, mode }: WrittenDirectory): void {
  for (const one of makeMissing(path, mode)) syncDirectoryNow(dirname(one));
}

function makeSpool(spool: WrittenDirectory, user: string): void {
  try {
    makeRest(spool);
  } catch (error) {
    if (errorCode(error) !== "EACCES" || existsSync(spool.path)) throw error;
    const command = `install -d -o ${user} -m 0700 ${spool.path}`;
    throw new Error(`${user} may not create ${spool.path}: run "${command}"`, { cause: error });
  }
}

/**
 * What root does to a spool by hand is done as the user who owns it. In a spool of root's that is the user of the
 * relay, if one is given: it leaves nothing there that its relay could not write to.
 */
export function becomeOwnerOf(path: string, user?: string): void {
  if (process.getuid?.() !== 0) return;
  const owner = statSync(path, { throwIfNoEntry: false });
  if (owner === undefined) return;
  const given = owner.uid === 0 && user !== undefined ? findUser(user) : undefined;
  become(given ?? findUserOf(owner.uid) ?? owner);
}

function become({ uid, gid }: SystemUser): void {
  process.setgroups?.([gid]);
  process.setgid?.(gid);
  process.setuid?.(uid);
}
