// The files of the history, one SQLite database a day: what has become too old is a file to be removed, not rows to
// be searched for. history/2026-11-22.sqlite, by UTC.
//
// Invariants: an event is in the file of the day on which it was written. Nothing here is needed to deliver mail: what
// is damaged is thrown away, and a power cut may cost the last seconds.

import { mkdirSync, readdirSync, rmSync, statSync, chownSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { errorCode } from "../error-code.ts";
import { isDamage } from "../spool/database.ts";
import { createPrivate } from "../spool/directory.ts";
import { idNumber } from "../spool/rows.ts";
import type { Piece } from "./pieces.ts";

const DAY = 86_400_000;
const FILE_NAME = /^(\d{4}-\d\d-\d\d)\.sqlite$/;

/** A message has one row a day. Refusals have negated microseconds, as ids are, for a number. */
const SCHEMA = `
CREATE TABLE IF NOT EXISTS stories (
  message INTEGER PRIMARY KEY,
  events  TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS addresses (
  hash    INTEGER NOT NULL,
  message INTEGER NOT NULL,
  PRIMARY KEY (hash, message)
) STRICT, WITHOUT ROWID;
`;

export function historyDirectory(spoolDirectory: string): string {
  return join(spoolDirectory, "history");
}

/** Names of the days that there are, oldest first. */
export function daysIn(directory: string): string[] {
  try {
    const names = readdirSync(directory);
    return names.flatMap((name) => FILE_NAME.exec(name)?.[1] ?? []).toSorted();
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}

export function dayFile(directory: string, day: string): string {
  return join(directory, `${day}.sqlite`);
}

/** Two addresses may share one: whoever looks for one reads what he finds. */
export function addressHash(address: string): number {
  return crc32(address);
}

interface Today {
  readonly day: string;
  readonly database: DatabaseSync;
  readonly story: StatementSync;
  readonly address: StatementSync;
}

export class HistoryDays {
  readonly #directory: string;
  readonly #keep: number;
  #today: Today | undefined;

  /** `keep` in ms. Files are made when there is something to be written. */
  constructor(spoolDirectory: string, keep: number) {
    this.#directory = historyDirectory(spoolDirectory);
    this.#keep = keep;
  }

  /** Throws when they cannot be written; then none of them is. */
  write(pieces: readonly Piece[], now: number): void {
    const { database, story, address } = this.#open(now);
    database.exec("BEGIN");
    try {
      for (const piece of pieces) {
        const message = numberOfPiece(piece);
        story.run(message, piece.events);
        for (const one of piece.addresses) address.run(addressHash(one), message);
      }
      database.exec("COMMIT");
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      if (isDamage(error)) this.#throwAway();
      throw error;
    }
  }

  #open(now: number): Today {
    const day = dayOf(now);
    if (this.#today?.day === day) return this.#today;
    this.close();
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    this.prune(now);
    return (this.#today = openDay(this.#directory, day));
  }

  #throwAway(): void {
    const day = this.#today?.day;
    this.close();
    if (day !== undefined) removeDay(this.#directory, day);
  }

  /** Removes the days that are over for longer than the history is kept. */
  prune(now: number): void {
    for (const day of daysIn(this.#directory)) {
      if (Date.parse(day) + DAY + this.#keep <= now) removeDay(this.#directory, day);
    }
  }

  close(): void {
    const today = this.#today;
    this.#today = undefined;
    today?.database.close();
  }
}

function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

/**
 * Refusals stand before the messages of their millisecond: a session has a recipient refused first, and the message
 * taken on after that.
 */
function numberOfPiece({ key, at }: Piece): number {
  return key.startsWith("-") ? Number(key) - (at - 1) * 1000 : idNumber(key);
}

function openDay(directory: string, day: string): Today {
  try {
    return opened(directory, day);
  } catch (error) {
    if (!isDamage(error)) throw error;
    removeDay(directory, day);
    return opened(directory, day);
  }
}

function opened(directory: string, day: string): Today {
  const file = dayFile(directory, day);
  createPrivate(file);
  const database = new DatabaseSync(file, { timeout: 10_000 });
  try {
    belongTo(directory, file);
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    database.exec(`PRAGMA wal_autocheckpoint = 2000; ${SCHEMA}`);
    return {
      day,
      database,
      story: database.prepare(
        "INSERT INTO stories (message, events) VALUES (?, ?) ON CONFLICT DO UPDATE SET events = events || ',' || excluded.events",
      ),
      address: database.prepare("INSERT OR IGNORE INTO addresses (hash, message) VALUES (?, ?)"),
    };
  } catch (error) {
    database.close();
    throw error;
  }
}

/** What root makes on the command line is the relay's, who must write to it too. */
function belongTo(directory: string, file: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(join(directory, ".."));
  for (const path of [directory, file]) chownSync(path, uid, gid);
}

function removeDay(directory: string, day: string): void {
  const file = dayFile(directory, day);
  for (const path of [file, `${file}-wal`, `${file}-shm`]) rmSync(path, { force: true });
}
