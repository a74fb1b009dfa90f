// Changes from root to an ordinary user, once the privileged ports are bound.
//
// Invariant: root gives away only a directory that it has just created, by descriptor, in a place where only root can
// change names. The user creates everything else with the user's own rights. So a symbolic or hard link that the user
// puts in the way cannot lead root to a file of another user.

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
import { become, findUser, type SystemUser } from "../base/users.ts";

export interface Leaving {
  readonly user: string;
  readonly spoolDirectory: string;
  /**
   * Other directories that the user will write to. If a parent that root must create is missing, it is created;
   * existing ones stay unchanged. Their file systems must answer, because the process waits for them.
   */
  readonly directories: readonly WrittenDirectory[];
  readonly log: Log;
}

/**
 * Does nothing unless the process is root. Throws when the user does not exist or the spool cannot be created. Any
 * other directory that cannot be created is a warning. Returns the missing directories that the user has to create.
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

/** Creates the first missing directory on the way to `path`, if root has to create it. The user creates the rest. */
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
 * Whether only root can replace what root creates in this directory. That is so if the directory and all directories
 * above it belong to root, and other users cannot write to them or they are sticky, as /tmp is. The same holds for
 * directories that a link leads to.
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

/** Creates what is missing on the way to `path`, and syncs the parent of each new directory. */
export function makeRest({ path, mode }: WrittenDirectory): void {
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
