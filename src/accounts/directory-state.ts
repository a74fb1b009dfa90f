// accounts.json in the spool directory: what the last sync has found. The lsearch files hold only names; kind, state
// and the time of the sync stand here.
//
// Invariants:
// - The file is replaced whole, together with the files of accounts.
// - It is checked when it is read, as if a stranger had written it.

import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "../base/error-code.ts";
import { isTable } from "../base/table.ts";

type AccountKind = "user" | "group";
type AccountState = "active" | "suspended" | "archived";

/** A user or a group of the directory, with those of its addresses that are in our domains. */
export interface DirectoryAccount {
  /** The primary address, in lower case: the Maildir has its name. */
  readonly address: string;
  readonly kind: AccountKind;
  readonly state: AccountState;
  /** Sorted. */
  readonly aliases: readonly string[];
}

/** An address that has left the directory, and is kept for `removal_delay`. */
export interface DepartedAddress {
  readonly address: string;
  /** The address of its account; the same for an account. */
  readonly account: string;
  /** When a sync first missed it, in ms since the epoch. */
  readonly since: number;
}

export interface DirectoryState {
  /** The end of the last sync that was written, in ms since the epoch. */
  readonly syncedAt: number;
  readonly accounts: readonly DirectoryAccount[];
  readonly departed: readonly DepartedAddress[];
}

/** Octets of the largest file that is read. */
const SIZE_MAX = 128 * 1024 * 1024;

export function directoryStatePath(spoolDirectory: string): string {
  return join(spoolDirectory, "accounts.json");
}

/** Undefined before the first sync. Throws if the file cannot be used. */
export async function readDirectoryState(
  spoolDirectory: string,
): Promise<DirectoryState | undefined> {
  const path = directoryStatePath(spoolDirectory);
  try {
    if ((await stat(path)).size > SIZE_MAX) throw new Error(`${path} is larger than 128 MiB`);
    return checked(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw new Error(`${path} cannot be used`, { cause: error });
  }
}

export function directoryStateText({ syncedAt, accounts, departed }: DirectoryState): string {
  const written = {
    synced_at: new Date(syncedAt).toISOString(),
    accounts,
    departed: departed.map((one) => ({ ...one, since: new Date(one.since).toISOString() })),
  };
  return `${JSON.stringify(written, undefined, 1)}\n`;
}

function checked(read: unknown): DirectoryState {
  if (!isTable(read)) throw new Error("it is not an object");
  return {
    syncedAt: timeOf(read["synced_at"]),
    accounts: listOf(read["accounts"], accountOf),
    departed: listOf(read["departed"], departedOf),
  };
}

function accountOf(read: Readonly<Record<string, unknown>>): DirectoryAccount {
  const { address, kind, state, aliases } = read;
  if (kind !== "user" && kind !== "group") throw new Error("an account has no kind");
  if (state !== "active" && state !== "suspended" && state !== "archived") {
    throw new Error("an account has no state");
  }
  if (!Array.isArray(aliases)) throw new Error("an account has no list of aliases");
  return { address: textOf(address), kind, state, aliases: aliases.map(textOf) };
}

function departedOf({ address, account, since }: Readonly<Record<string, unknown>>) {
  return { address: textOf(address), account: textOf(account), since: timeOf(since) };
}

function listOf<T>(list: unknown, read: (one: Readonly<Record<string, unknown>>) => T): T[] {
  if (!Array.isArray(list)) throw new Error("a list is missing");
  return list.map((one: unknown) => {
    if (!isTable(one)) throw new Error("an entry is not an object");
    return read(one);
  });
}

function textOf(value: unknown): string {
  if (typeof value !== "string") throw new Error("a text is missing");
  return value;
}

/** Milliseconds since the epoch. */
function timeOf(value: unknown): number {
  const time = Date.parse(textOf(value));
  if (!Number.isFinite(time)) throw new Error("a time is missing");
  return time;
}
