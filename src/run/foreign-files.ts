// Files of another user in places where the relay's user must write: left by a relay that ran as root for a while, or
// put there by hand. The relay names them together with the command that gives them to its user. The postmaster must
// run that command: a program with root's rights that gives files away could be tricked into giving away the wrong
// ones.

import { accessSync, constants, lstatSync, readdirSync, type Stats } from "node:fs";
import { join } from "node:path";
import { userName } from "../base/users.ts";
import { errorCode } from "../base/error-code.ts";
import { spoolEngine } from "./spool-engine.ts";

/** At most this many paths are named; the others are counted. */
const NAMED_MAX = 3;

/**
 * Throws when the spool cannot be opened because a file that it needs belongs to another user. Root may open
 * everything.
 */
export function requireOwnSpool(directory: string): void {
  const uid = process.getuid?.();
  if (uid === undefined || uid === 0) return;
  const paths = [join(directory, ""), ...spoolEngine.files(directory)];
  const shut = paths.filter((path) => isForeign(path, uid) && !isOpenToUs(path));
  if (shut.length === 0) return;
  const user = userName(uid);
  throw new Error(
    `${user} cannot use the spool: ${named(shut)} ${belong(shut)} to another user; ${advice(directory, user)}`,
  );
}

/**
 * Returns one clause about files in the spool that belong to another user. Undefined without such files, or if the
 * process is root.
 */
export function foreignInSpool(directory: string): string | undefined {
  const uid = process.getuid?.();
  if (uid === undefined || uid === 0) return undefined;
  const foreign = [...foreignIn(directory, uid)];
  if (foreign.length === 0) return undefined;
  const user = userName(uid);
  return `${named(foreign)} ${belong(foreign)} to another user than ${user}: ${advice(directory, user)}`;
}

/** Returns one clause about directories for copies that cannot be written to; undefined without such directories. */
export function shutDirectories(shut: readonly string[]): string | undefined {
  const user = userName(process.getuid?.() ?? 0);
  const command = `chown -R ${user}: ${shut.slice(0, NAMED_MAX).join(" ")}`;
  return shut.length === 0
    ? undefined
    : `${named(shut)} cannot be written to: if nobody but the relay needs to, run "${command}"`;
}

function* foreignIn(path: string, uid: number): Generator<string> {
  const stats = found(path);
  if (stats === undefined) return;
  if (stats.uid !== uid) yield path;
  if (!stats.isDirectory()) return;
  for (const name of namesIn(path)) yield* foreignIn(join(path, name), uid);
}

function isForeign(path: string, uid: number): boolean {
  const owner = found(path)?.uid;
  return owner !== undefined && owner !== uid;
}

function isOpenToUs(path: string): boolean {
  const { R_OK, W_OK, X_OK } = constants;
  return isOpen(path, found(path)?.isDirectory() === true ? R_OK | W_OK | X_OK : R_OK | W_OK);
}

function isOpen(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch (error) {
    return errorCode(error) === "ENOENT";
  }
}

/** Undefined when the file does not exist or cannot be examined. */
function found(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}

/**
 * An empty list for a directory that cannot be read: it is reported itself. "lost+found" at the top of a file system is
 * skipped.
 */
function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => name !== "lost+found")
      .toSorted();
  } catch {
    return [];
  }
}

function named(paths: readonly string[]): string {
  const more = paths.length - NAMED_MAX;
  return `${paths.slice(0, NAMED_MAX).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function belong(paths: readonly string[]): string {
  return paths.length === 1 ? "belongs" : "belong";
}

function advice(directory: string, user: string): string {
  return `if they are the relay's, stop it and run "chown -R ${user}: ${directory}"`;
}
