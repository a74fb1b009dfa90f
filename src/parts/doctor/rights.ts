// Who may do what with the places of the relay, by owner and mode. The doctor has become the relay's user before, so that
// what it may read and write is what the relay may.

import { constants, type Stats } from "node:fs";
import { access, opendir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errorCode } from "../../base/error-code.ts";
import { findUser, userName } from "../../base/users.ts";
import type { Configuration } from "../../config/configuration.ts";
import { describeError } from "../../observe/log.ts";
import { failure, type Finding, ok, skipped, warning } from "./finding.ts";

/** Maildirs that are looked into. */
const MAILDIRS_MAX = 1000;
/** Paths that are named; the others are counted. */
const NAMED_MAX = 3;
/** Bits of the mode that let other users read, write and pass. */
const OTHERS = { read: 0o004, write: 0o002, pass: 0o001 } as const;

/** A directory that the relay's user must own and may write to. */
export interface OwnedDirectory {
  /** "the spool" */
  readonly what: string;
  readonly path: string;
  /** The option that names it. */
  readonly option: string;
  /** Its directories of two levels are domains and accounts. */
  readonly holdsMaildirs: boolean;
}

/**
 * Whose eyes these are not, as a reason to skip a check; undefined if they are those of root, who has become the relay's
 * user, or of this user.
 */
export async function strangeEyes({
  relay,
}: Pick<Configuration, "relay">): Promise<string | undefined> {
  const own = process.getuid?.() ?? 0;
  if (own === 0) return undefined;
  const user =
    relay.user === undefined ? await ownerOf(relay.spool_directory) : findUser(relay.user)?.uid;
  if (user === undefined || user === own) return undefined;
  return `run the doctor as root or as ${userName(user)}, to see it with the eyes of the relay`;
}

async function ownerOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).uid;
  } catch {
    return undefined;
  }
}

export async function rightsFinding(directory: OwnedDirectory): Promise<Finding> {
  const { what, path, option, holdsMaildirs } = directory;
  const at = `${what} (${path})`;
  let stats: Stats;
  try {
    stats = await stat(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") {
      return skipped(`${at}: it does not exist yet; the relay makes it at its start`);
    }
    return failure(`${at}: ${deniedText(error, "look into")}`, ownerAdvice(path));
  }
  if (!stats.isDirectory()) return failure(`${at}: it is not a directory`, `Correct ${option}.`);
  const problem = (await shutProblem(path)) ?? foreignProblem(stats);
  if (problem !== undefined) return failure(`${at}: ${problem}`, ownerAdvice(path));
  const inside = holdsMaildirs ? await insideFinding(at, path) : undefined;
  if (inside !== undefined) return inside;
  const mode = (stats.mode & 0o7777).toString(8).padStart(4, "0");
  if ((stats.mode & OTHERS.write) !== 0) {
    return warning(
      `${at}: its mode is ${mode}, so every user of this machine may write there`,
      `Run: chmod o-w ${path}`,
    );
  }
  return ok(`${at}: owner ${userName(stats.uid)}, mode ${mode}`);
}

function ownUser(): string {
  return userName(process.getuid?.() ?? 0);
}

function ownerAdvice(path: string): string {
  return `If it is the relay's, run: chown -R ${ownUser()}: ${path}`;
}

function deniedText(error: unknown, verb: string): string {
  const denied = errorCode(error) === "EACCES" || errorCode(error) === "EPERM";
  return denied ? `the user ${ownUser()} may not ${verb} it` : describeError(error);
}

async function shutProblem(path: string): Promise<string | undefined> {
  try {
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return deniedText(error, "write to");
  }
}

/** Root may write everywhere, so its own directories are right whoever they belong to. */
function foreignProblem({ uid }: Stats): string | undefined {
  const own = process.getuid?.() ?? 0;
  return uid === own || own === 0
    ? undefined
    : `it belongs to ${userName(uid)}, and not to ${ownUser()}`;
}

/** The finding about domains and accounts in it that the relay may not write to, or that others may read. */
async function insideFinding(at: string, root: string): Promise<Finding | undefined> {
  const shut: string[] = [];
  const open: string[] = [];
  let count = 0;
  for await (const domain of directoriesIn(root)) {
    if ((await shutProblem(domain)) !== undefined) shut.push(domain);
    for await (const maildir of directoriesIn(domain)) {
      if (++count > MAILDIRS_MAX) break;
      if ((await shutProblem(maildir)) !== undefined) shut.push(maildir);
      else if (await isOpenToOthers(maildir, OTHERS.pass)) open.push(maildir);
    }
  }
  if (shut.length > 0) {
    return failure(
      `${at}: the user ${ownUser()} may not write to ${named(shut)}`,
      ownerAdvice(root),
    );
  }
  if (open.length === 0) return undefined;
  return warning(
    `${at}: every user of this machine may look into ${named(open)}`,
    `Run: chmod -R o= ${root}`,
  );
}

function named(paths: readonly string[]): string {
  const more = paths.length - NAMED_MAX;
  return `${paths.slice(0, NAMED_MAX).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

async function* directoriesIn(path: string): AsyncGenerator<string> {
  try {
    for await (const entry of await opendir(path)) {
      if (entry.isDirectory()) yield join(path, entry.name);
    }
  } catch (error) {
    // A directory that may not be read is reported itself.
    if (errorCode(error) !== "EACCES") throw error;
  }
}

/** Whether the mode of the path, and those of all directories above it, let other users do this with it. */
async function isOpenToOthers(path: string, bit: number): Promise<boolean> {
  if (((await stat(path)).mode & bit) === 0) return false;
  for (let at = path; at !== dirname(at);) {
    at = dirname(at);
    if (((await stat(at)).mode & OTHERS.pass) === 0) return false;
  }
  return true;
}

/** The finding about a file that the relay's user may not read. */
export async function shutFileFinding(path: string): Promise<Finding | undefined> {
  try {
    await access(path, constants.R_OK);
    return undefined;
  } catch (error) {
    return failure(
      `${path}: ${deniedText(error, "read")}`,
      "Give the file to the group of the relay's user (mode 0640): it is read again when it changes.",
    );
  }
}

/** The finding about a key that other users may read. */
export async function openKeyFinding(path: string): Promise<Finding | undefined> {
  try {
    if (!(await isOpenToOthers(path, OTHERS.read))) return undefined;
  } catch {
    // `shutFileFinding` says why.
    return undefined;
  }
  return warning(`${path}: every user of this machine may use this key`, `Run: chmod o= ${path}`);
}
