// A database that is damaged is replaced by a new one with everything that can still be read. The damaged one is
// never thrown away: it ends in corrupt/, with the body files that no message owns any more.
//
// The steps, each of which may be the last before a crash: the database files move into salvage/, the database
// itself last; what can be read moves into a new database; salvage/ becomes corrupt/TIME. While there is a
// salvage/, a start goes on where the last one ended, before anything else. Taking a message over twice is
// harmless, because nothing is delivered in between.

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
import { createLoader, type Loader } from "./loader.ts";
import { type StoredRow } from "./rows.ts";
import { corruptDirectory } from "./set-aside.ts";
import { idNumber } from "../../mail/ids.ts";
import { numberOf } from "../../base/durable/columns.ts";

export interface Salvage {
  /** Messages that are in the new database. */
  readonly messages: number;
  /** Messages that there was a trace of, and that could not be read. */
  readonly lost: number;
  /** What was wrong with the database. */
  readonly error: string;
  /** Where it is now. */
  readonly kept_in: string;
}

/** Opens the spool; a damaged database is replaced first. Throws when that is impossible, and changes nothing. */
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

/** The engine that was on it must be closed. */
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

/** An empty database with a log beside it is not a new spool: SQLite would throw the log away. */
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

/** Rows that share a transaction. */
const GROUP = 200;

function takeOver(directory: string, engine: Engine): { messages: number; lost: number } {
  const file = join(salvageDirectory(directory), DATABASE);
  using damaged = openDamaged(file);
  if (damaged === undefined) return { messages: 0, lost: 0 };
  const load = patientLoader(damaged);
  const holds = orElse(() => readHolds(damaged), []);
  const list = orElse(() => readList(damaged).entries, []);
  engine.restore([], { holds, list });
  const ids = [...tracesOf(damaged)].toSorted((a, b) => a - b);
  let messages = 0;
  for (let from = 0; from < ids.length; from += GROUP) {
    const rows = ids.slice(from, from + GROUP).flatMap((id) => load(id, true) ?? []);
    messages += restoreGroup(engine, rows);
  }
  return { messages, lost: ids.length - messages };
}

/** How many of the rows the new database took. */
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

/** The tables do not take such values; an error of the disk is not the row's fault. */
function isUnfit(error: unknown): boolean {
  if (error instanceof TypeError) return true;
  const code = error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : 0;
  return code === SQLITE_CONSTRAINT || code === SQLITE_MISMATCH;
}

const SQLITE_CONSTRAINT = 19;
const SQLITE_MISMATCH = 20;

/** Undefined when nothing at all can be read. */
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
 * The first page of a spool, with the places of its tables, is the same in each: they are all created at once.
 * So where it is lost, that of a new spool stands in for it; what was there is kept beside the file.
 */
function replaceFirstPage(file: string): void {
  const pattern = new Engine(`${file}-pattern`);
  pattern.close();
  const page = Buffer.alloc(PAGE);
  const fresh = openSync(join(`${file}-pattern`, DATABASE), "r");
  readSync(fresh, page, 0, PAGE, 0);
  closeSync(fresh);
  rmSync(`${file}-pattern`, { recursive: true });
  // Without a size in the header SQLite goes by the size of the file; without free pages it looks for none.
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

/** Gives what there is of a message: a page that cannot be read costs only what stands on it. */
function patientLoader(database: DatabaseSync): Loader {
  const whole = createLoader(database);
  const message = database.prepare("SELECT * FROM messages WHERE id = ?");
  const recipients = database.prepare("SELECT * FROM recipients WHERE message = ?");
  const bodies = database.prepare("SELECT bytes FROM bodies WHERE message = ?");
  return (id, withBody) => {
    const loaded = orElse(() => whole(id, withBody), undefined);
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

/** Every id that any table still knows, read from both ends, so that a hole hides only what is in it. */
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

/** Body files without a message may be all that is left of one. Those of sessions under way stay where they are. */
function linkOwnerless(directory: string, engine: Engine): void {
  for (const id of new BodyFiles(directory).names()) {
    const kept = join(salvageDirectory(directory), id);
    if (engine.has(idNumber(id)) || existsSync(kept)) continue;
    linkSync(bodyFile(directory, id), kept);
  }
}

/** Where the damaged database is from now on. */
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
