// What a drill is about to make, on disk before it makes anything: so the next drill, or the next start of the relay,
// removes what a drill has left that was killed.
//
// Invariants:
// - Only what the record names is removed, and only if the drill's account is part of its name. The record is written
//   when nothing of it exists yet.
// - The record goes last: after a crash while it is cleaned up, the rest goes the next time.

import { chownSync, existsSync, statSync } from "node:fs";
import { readFile, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncDirectory } from "../../../base/durable/directory.ts";
import { replaceFile } from "../../../base/durable/kept-files.ts";
import { errorCode } from "../../../base/error-code.ts";
import { isTable } from "../../../base/table.ts";
import type { SystemUser } from "../../../base/users.ts";
import { changeUsers } from "../../../users/users.ts";

/** The local part of the drill's account. */
export const DRILL_NAME = "unseen-drill";

export interface DrillRecord {
  readonly address: string;
  /** The process of the drill. */
  readonly pid: number;
  /** The users file, and the password field of the line that the drill adds. */
  readonly users: string;
  readonly password: string;
  /** What a line at its end adds and its removal leaves: a file, or a line end. Absent: nothing. */
  readonly added?: "file" | "line end";
  /** The directories of the account: its Maildirs, and what Dovecot keeps of it. */
  readonly directories: readonly DrillDirectory[];
}

export interface DrillDirectory {
  readonly path: string;
  /** The directories above it that are missing too, the deepest first. */
  readonly above: readonly string[];
}

export function directoryOf(path: string): DrillDirectory {
  const above: string[] = [];
  for (let at = dirname(path); !existsSync(at); at = dirname(at)) above.push(at);
  return { path, above };
}

function fileOf(spoolDirectory: string): string {
  return join(spoolDirectory, "failover-drill.json");
}

/** Undefined if no drill has left anything. Throws if the record cannot be read. */
export async function readRecord(spoolDirectory: string): Promise<DrillRecord | undefined> {
  const file = fileOf(spoolDirectory);
  try {
    return checked(JSON.parse(await readFile(file, "utf8")));
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw new Error(`${file} cannot be used`, { cause: error });
  }
}

function checked(read: unknown): DrillRecord {
  if (!isTable(read) || !Array.isArray(read["directories"])) throw new Error("it is no record");
  const { pid, added, directories } = read;
  return {
    address: textOf(read["address"]),
    pid: typeof pid === "number" ? pid : 0,
    users: textOf(read["users"]),
    password: textOf(read["password"]),
    ...(added === "file" || added === "line end" ? { added } : {}),
    directories: directories.map((one: unknown) => {
      if (!isTable(one) || !Array.isArray(one["above"])) throw new Error("it is no record");
      return { path: textOf(one["path"]), above: one["above"].map(textOf) };
    }),
  };
}

function textOf(value: unknown): string {
  if (typeof value !== "string" || value === "") throw new Error("a text is missing");
  return value;
}

/** Resolves when the record is on disk. The relay can read it. */
export async function writeRecord(spoolDirectory: string, record: DrillRecord): Promise<void> {
  const file = fileOf(spoolDirectory);
  await replaceFile(file, `${JSON.stringify(record)}\n`);
  const { uid, gid } = statSync(spoolDirectory);
  if (process.getuid?.() === 0) chownSync(file, uid, gid);
}

/** Whether the drill of this record still runs. */
export function isAlive({ pid }: Pick<DrillRecord, "pid">): boolean {
  if (pid === 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === "EPERM";
  }
}

interface Removal {
  /** The owner of new files. */
  readonly owner?: SystemUser | undefined;
  /** The relay has still to remove the drill's mail from its queue. */
  readonly keepRecord?: boolean;
}

/** Removes all that the record names, and the record. Throws if something stays; then the record stays too. */
export async function removeTraces(
  spoolDirectory: string,
  record: DrillRecord,
  { owner, keepRecord = false }: Removal = {},
): Promise<void> {
  const steps = [
    () => removeUser(record, owner),
    ...record.directories.map((one) => () => removeDirectory(one)),
  ];
  const errors: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, errors.map(String).join("; "));
  if (keepRecord) return;
  await rm(fileOf(spoolDirectory), { force: true });
  await syncDirectory(spoolDirectory);
}

/** Takes the drill's own line out. The file is then as it was before. */
async function removeUser(
  { users: file, address, password, added }: DrillRecord,
  owner: SystemUser | undefined,
): Promise<void> {
  if (!existsSync(file)) return;
  await changeUsers(file, { owner }, (users) => {
    if (users.find(address)?.password !== password) return false;
    users.remove(address);
    if (added === "line end") users.dropLastLineEnd();
    return added === "file" && users.octets.length === 0 ? "remove" : true;
  });
}

async function removeDirectory({ path, above }: DrillDirectory): Promise<void> {
  if (!path.includes(DRILL_NAME)) throw new Error(`${path} is not of the drill`);
  await rm(path, { recursive: true, force: true });
  for (const one of above) {
    try {
      await rmdir(one);
    } catch (error) {
      // Another account has its mail there now.
      if (errorCode(error) === "ENOENT") continue;
      if (errorCode(error) !== "ENOTEMPTY") throw error;
      return;
    }
  }
}
