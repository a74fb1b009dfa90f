// Writes one file of the history.
//
// Invariants: the story of a message is bounded. Above STORY_MAX only short pieces are written, so that the end of a
// message with a thousand recipients is still recorded; above twice that, no more. Events that are left out are
// counted. Refusals may take a quarter of the file.

import { DatabaseSync, type StatementSync } from "node:sqlite";
import { createPrivate } from "../../base/durable/directory.ts";
import { idNumber } from "../../mail/ids.ts";
import { numberOf } from "../../base/durable/columns.ts";
import { dayFile } from "./files.ts";
import { addressHash, type Piece } from "./event-keys.ts";

/** Octets that the story of one message may take in one file. Short pieces may double it. */
const STORY_MAX = 64 * 1024;
const SHORT = 2048;
const REFUSALS_SHARE = 1 / 4;
/** Octets of a row in addition to its text, and octets of an address. */
const ROW_COST = 64;
const ADDRESS_COST = 32;

/**
 * A message has a row for each piece, under the number of its id. A refusal has a negative number: its time in
 * microseconds.
 */
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
  /** Octets of the refusals in this file. */
  #refused: number;

  /**
   * Opens the file, or creates it. `sizeMax` is in octets. Throws an error that isDamage() recognizes when the file is
   * not a database.
   */
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

  /** Octets of the file, without its write-ahead log. */
  get size(): number {
    return numberOf(this.#statements.pages.get()?.["page_count"]) * this.#pageSize;
  }

  /** Writes pieces, beginning at index `from`, as many as fit one transaction. Returns how many it wrote. */
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

  /** Returns the octets that the piece takes. */
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
 * A refusal is sorted before the messages of its millisecond: in a session, a recipient is refused first and the
 * message is accepted after that.
 */
function numberOfPiece({ key, at }: Piece): number {
  return key.startsWith("-") ? Number(key) - (at - 1) * 1000 : idNumber(key);
}
