// One file of the history, as the relay writes it.
//
// Invariants: the story of a message has a bound. Behind it only short pieces are written, so that the end of a message
// with a thousand recipients is still told, and then none; how many events were left out is counted. Refusals have a
// quarter of the file.

import { DatabaseSync, type StatementSync } from "node:sqlite";
import { createPrivate } from "../../base/durable/directory.ts";
import { idNumber } from "../../mail/ids.ts";
import { numberOf } from "../../base/durable/columns.ts";
import { dayFile } from "./files.ts";
import { addressHash, type Piece } from "./event-keys.ts";

/** Octets of the story of one message in one file; short pieces may double it. */
const STORY_MAX = 64 * 1024;
const SHORT = 2048;
const REFUSALS_SHARE = 1 / 4;
/** What a row costs besides its text, and what an address costs. */
const ROW_COST = 64;
const ADDRESS_COST = 32;

/** A message has a row for each piece; refusals have negated microseconds, as ids are, for a number. */
const SCHEMA = `
CREATE TABLE IF NOT EXISTS pieces (
  message INTEGER NOT NULL,
  events  TEXT    NOT NULL,
  total   INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS of_message ON pieces (message);
CREATE TABLE IF NOT EXISTS left_out (
  message INTEGER PRIMARY KEY,
  events  INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS addresses (
  hash    INTEGER NOT NULL,
  message INTEGER NOT NULL,
  PRIMARY KEY (hash, message)
) STRICT, WITHOUT ROWID;
`;

interface Statements {
  readonly total: StatementSync;
  readonly piece: StatementSync;
  readonly leftOut: StatementSync;
  readonly address: StatementSync;
  readonly pages: StatementSync;
  readonly refused: StatementSync;
}

export class DayWriter {
  readonly name: string;
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  readonly #sizeMax: number;
  readonly #pageSize: number;
  /** Octets of refusals in this file. */
  #refused: number;

  /** Opens the file, or creates it. `sizeMax` in octets. Throws what isDamage() knows when it is no database. */
  constructor(directory: string, name: string, sizeMax: number) {
    this.name = name;
    this.#sizeMax = sizeMax;
    const file = dayFile(directory, name);
    createPrivate(file);
    this.#database = new DatabaseSync(file, { timeout: 10_000 });
    try {
      this.#database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
      this.#database.exec(SCHEMA);
      this.#pageSize = numberOf(this.#database.prepare("PRAGMA page_size").get()?.["page_size"]);
      const logPages = Math.min(2000, Math.ceil(sizeMax / 4 / this.#pageSize));
      this.#database.exec(`PRAGMA wal_autocheckpoint = ${logPages}`);
      this.#statements = prepared(this.#database);
      this.#refused = numberOf(this.#statements.refused.get()?.["octets"]);
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /** Octets of the file, its log not counted. */
  get size(): number {
    return numberOf(this.#statements.pages.get()?.["page_count"]) * this.#pageSize;
  }

  /** Writes pieces from this one on, as many as may share a transaction. How many those are. */
  write(pieces: readonly Piece[], from: number): number {
    const refused = this.#refused;
    let octets = 0;
    let at = from;
    this.#database.exec("BEGIN");
    try {
      for (; at < pieces.length && octets < this.#sizeMax / 4; at++) {
        const piece = pieces[at];
        if (piece !== undefined) octets += this.#add(piece);
      }
      this.#database.exec("COMMIT");
    } catch (error) {
      this.#refused = refused;
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
    return at - from;
  }

  /** How many octets it took. */
  #add(piece: Piece): number {
    const message = numberOfPiece(piece);
    const { total, piece: insert, leftOut, address } = this.#statements;
    const cost = piece.events.length + ROW_COST + ADDRESS_COST * piece.addresses.length;
    if (message < 0) {
      if (this.#refused + cost > this.#sizeMax * REFUSALS_SHARE) return 0;
      this.#refused += cost;
    }
    const before = numberOf(total.get(message)?.["total"] ?? 0);
    const after = before + piece.events.length;
    const room = piece.events.length <= SHORT ? 2 * STORY_MAX : STORY_MAX;
    const isToBeLeftOut = before > 0 && after > room;
    const missing = piece.leftOut + (isToBeLeftOut ? piece.count : 0);
    if (missing > 0) leftOut.run(message, missing);
    if (isToBeLeftOut) return ROW_COST;
    insert.run(message, piece.events, after);
    for (const one of piece.addresses) address.run(addressHash(one), message);
    return cost;
  }

  close(): void {
    this.#database.close();
  }
}

function prepared(database: DatabaseSync): Statements {
  return {
    total: database.prepare("SELECT max(total) AS total FROM pieces WHERE message = ?"),
    piece: database.prepare("INSERT INTO pieces (message, events, total) VALUES (?, ?, ?)"),
    leftOut: database.prepare(
      "INSERT INTO left_out (message, events) VALUES (?, ?) ON CONFLICT DO UPDATE SET events = events + excluded.events",
    ),
    address: database.prepare("INSERT OR IGNORE INTO addresses (hash, message) VALUES (?, ?)"),
    pages: database.prepare("PRAGMA page_count"),
    refused: database.prepare(
      `SELECT coalesce(sum(length(events) + ${ROW_COST}), 0) AS octets FROM pieces WHERE message < 0`,
    ),
  };
}

/**
 * Refusals stand before the messages of their millisecond: a session has a recipient refused first, and the message
 * taken on after that.
 */
function numberOfPiece({ key, at }: Piece): number {
  return key.startsWith("-") ? Number(key) - (at - 1) * 1000 : idNumber(key);
}
