// Replaces a damaged database by a new one with everything that can still be read. The damaged one is never thrown
// away: it ends in corrupt/, with the body files that belong to no message any more.
//
// The steps, each of which may be the last before a crash:
// 1. The database files move into salvage/, the database itself last.
// 2. All readable rows are copied into a new database.
// 3. salvage/ becomes corrupt/spool-TIME.
// While salvage/ exists, a start first continues with these steps. To copy a message twice is harmless, because nothing
// is delivered in between.

import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { BodyFiles } from "./body-files.ts";
import { bodyFile } from "./body.ts";
import { isDamage } from "../../base/durable/database.ts";
import { DATABASE, Engine } from "./engine.ts";
import { readHolds } from "./hold-table.ts";
import { readList } from "./list-table.ts";
import { createLoader } from "./loader.ts";
import { LISTED_WHYS } from "../spool.ts";
import { type StoredRow } from "./rows.ts";
import { corruptDirectory } from "./set-aside.ts";
import { idNumber } from "../../mail/ids.ts";
import { numberOf } from "../../base/durable/columns.ts";

export interface Salvage {
  /** Number of messages in the new database. */
  readonly messages: number;
  /** Number of messages that left a trace but could not be read. */
  readonly lost: number;
  /** The damage of the database. */
  readonly error: string;
  /** The directory with the damaged database. */
  readonly kept_in: string;
}

/** Opens the spool. A damaged database is replaced first. If that is impossible, throws and loses nothing. */
export function openSpool(directory: string, onSalvage: (salvage: Salvage) => void): Engine {
  if (existsSync(salvageDirectory(directory))) {
    return replaceDamaged(directory, new Error("an earlier salvage was cut short"), onSalvage);
  }
  if (isLogAlone(directory)) {
    return replaceDamaged(directory, new Error("the database is gone, its log is not"), onSalvage);
  }
  try {
    return new Engine(directory);
  } catch (error) {
    if (!isDamage(error)) throw error;
    return replaceDamaged(directory, error, onSalvage);
  }
}

/** Replaces the damaged database. The engine that used it must be closed. */
export function replaceDamaged(
  directory: string,
  cause: unknown,
  onSalvage: (salvage: Salvage) => void,
): Engine {
  moveAside(directory);
  const engine = new Engine(directory);
  try {
    const { messages, lost } = takeOver(directory, engine);
    linkOwnerless(directory, engine);
    const kept = finish(directory);
    const error = cause instanceof Error ? cause.message : String(cause);
    onSalvage({ messages, lost, error, kept_in: kept });
    return engine;
  } catch (error) {
    engine.close();
    throw error;
  }
}

function salvageDirectory(directory: string): string {
  return join(directory, "salvage");
}

/** Whether the database is missing or empty but has a log. Such a spool is not new, and SQLite would drop the log. */
function isLogAlone(directory: string): boolean {
  const size = (name: string) =>
    statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0;
  return size(DATABASE) === 0 && size(`${DATABASE}-wal`) > 0;
}

function moveAside(directory: string): void {
  const aside = salvageDirectory(directory);
  mkdirSync(aside, { recursive: true, mode: 0o700 });
  if (!existsSync(join(aside, DATABASE))) {
    for (const name of [`${DATABASE}-wal`, DATABASE]) {
      if (existsSync(join(directory, name))) renameSync(join(directory, name), join(aside, name));
    }
    rmSync(join(directory, `${DATABASE}-shm`), { force: true });
  }
  syncDirectories(aside, directory);
}

/** Messages that are copied in one transaction, and octets of their bodies after which it takes no more. */
const GROUP = 200;
const GROUP_OCTETS = 8 * 1024 * 1024;

function takeOver(directory: string, engine: Engine): { messages: number; lost: number } {
  const file = join(salvageDirectory(directory), DATABASE);
  using damaged = openDamaged(file);
  if (damaged === undefined) return { messages: 0, lost: 0 };
  const load = patientLoader(damaged);
  const holds = orElse(() => readHolds(damaged), []);
  const list = orElse(() => readList(damaged, LISTED_WHYS).entries, []);
  engine.restore([], { holds, list });
  const ids = [...tracesOf(damaged)].toSorted((a, b) => a - b);
  let messages = 0;
  for (const rows of groupsOf(ids, load)) messages += restoreGroup(engine, rows);
  return { messages, lost: ids.length - messages };
}

function* groupsOf(ids: readonly number[], load: WholeLoader): Iterable<readonly StoredRow[]> {
  let rows: StoredRow[] = [];
  let octets = 0;
  for (const id of ids) {
    const row = load(id);
    if (row === undefined) continue;
    rows.push(row);
    octets += row.body instanceof Uint8Array ? row.body.length : 0;
    if (rows.length < GROUP && octets < GROUP_OCTETS) continue;
    yield rows;
    rows = [];
    octets = 0;
  }
  yield rows;
}

/** Copies the rows. Returns how many the new database accepted. */
function restoreGroup(engine: Engine, rows: readonly StoredRow[]): number {
  try {
    engine.restore(rows);
    return rows.length;
  } catch (error) {
    if (rows.length === 1 && isUnfit(error)) return 0;
    if (rows.length <= 1) throw error;
    return rows.reduce((taken, row) => taken + restoreGroup(engine, [row]), 0);
  }
}

/** Whether the tables refuse the values of the row. An error of the disk is not the row's fault. */
function isUnfit(error: unknown): boolean {
  if (error instanceof TypeError) return true;
  const code = error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : 0;
  return code === SQLITE_CONSTRAINT || code === SQLITE_MISMATCH;
}

const SQLITE_CONSTRAINT = 19;
const SQLITE_MISMATCH = 20;

/** Opens the damaged database. Undefined if nothing at all can be read. */
function openDamaged(file: string): DatabaseSync | undefined {
  if (!existsSync(file)) return undefined;
  for (const mend of [() => undefined, () => replaceFirstPage(file)]) {
    mend();
    const database = new DatabaseSync(file);
    try {
      createLoader(database);
      return database;
    } catch {
      database.close();
    }
  }
  return undefined;
}

/**
 * Replaces the first page, which holds the places of the tables, by that of a new spool. It is the same in every spool,
 * because all tables are created at once. The old page is kept beside the file.
 */
function replaceFirstPage(file: string): void {
  const pattern = new Engine(`${file}-pattern`);
  pattern.close();
  const page = Buffer.alloc(PAGE);
  const fresh = openSync(join(`${file}-pattern`, DATABASE), "r");
  readSync(fresh, page, 0, PAGE, 0);
  closeSync(fresh);
  rmSync(`${file}-pattern`, { recursive: true });
  // Without a size in the header, SQLite uses the size of the file. With a count of 0, it reads no list of free pages.
  page.fill(0, SIZE_IN_HEADER, FREE_PAGES_IN_HEADER + 4);
  const damaged = openSync(file, "r+");
  const original = Buffer.alloc(PAGE);
  const length = readSync(damaged, original, 0, PAGE, 0);
  writeFileSync(`${file}-first-page`, original.subarray(0, length), { mode: 0o600 });
  writeSync(damaged, page, 0, PAGE, 0);
  closeSync(damaged);
}

const PAGE = 8192;
const SIZE_IN_HEADER = 28;
const FREE_PAGES_IN_HEADER = 36;

type WholeLoader = (id: number) => StoredRow | undefined;

/** Returns a loader of all readable parts of a message. An unreadable page costs only the rows on it. */
function patientLoader(database: DatabaseSync): WholeLoader {
  const whole = createLoader(database);
  const message = database.prepare("SELECT * FROM messages WHERE id = ?");
  const recipients = database.prepare("SELECT * FROM recipients WHERE message = ?");
  const bodies = database.prepare("SELECT bytes FROM bodies WHERE message = ?");
  return (id) => {
    const loaded = orElse(() => whole(id, "all"), undefined);
    if (loaded !== undefined) return loaded;
    const row = orElse(() => message.get(id), undefined);
    if (row === undefined) return undefined;
    return {
      message: row,
      recipients: orElse(() => recipients.all(id), []),
      journal: [],
      body: orElse(() => bodies.get(id)?.["bytes"], null),
    };
  };
}

function orElse<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}

/** Returns every id that a table still has. Tables are read from both ends, so a hole hides only the rows in it. */
function tracesOf(database: DatabaseSync): Set<number> {
  const ids = new Set<number>();
  for (const [table, key] of [
    ["messages", "id"],
    ["recipients", "message"],
    ["bodies", "message"],
    ["messages INDEXED BY due WHERE state = 'queued' AND next_attempt > -1", "id"],
  ] as const) {
    for (const order of table.includes("INDEXED")
      ? [""]
      : [`ORDER BY ${key}`, `ORDER BY ${key} DESC`]) {
      orElse(() => {
        const rows = database.prepare(`SELECT ${key} AS id FROM ${table} ${order}`).iterate();
        for (const { id } of rows) ids.add(numberOf(id));
      }, undefined);
    }
  }
  return ids;
}

/** Links body files without a message into salvage/: they may be all that is left of it. The files themselves stay. */
function linkOwnerless(directory: string, engine: Engine): void {
  for (const id of new BodyFiles(directory).names()) {
    const kept = join(salvageDirectory(directory), id);
    if (engine.has(idNumber(id)) || existsSync(kept)) continue;
    linkSync(bodyFile(directory, id), kept);
  }
}

/** Moves salvage/ into corrupt/. Returns the new directory of the damaged database. */
function finish(directory: string): string {
  const corrupt = corruptDirectory(directory);
  mkdirSync(corrupt, { recursive: true, mode: 0o700 });
  const time = new Date().toISOString().replaceAll(/[^\dT]/g, "");
  const kept = join(corrupt, `spool-${time}`);
  syncDirectories(salvageDirectory(directory));
  renameSync(salvageDirectory(directory), kept);
  syncDirectories(corrupt, directory);
  return kept;
}

function syncDirectories(...directories: readonly string[]): void {
  for (const directory of directories) {
    const descriptor = openSync(directory, "r");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }
}
