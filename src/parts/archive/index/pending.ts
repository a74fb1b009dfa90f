// Files that were found and are not indexed yet, by the time of their delivery. A walk writes them down before it goes
// on, so a program that was killed goes on where it was.

import type { Database } from "../../../base/durable/database.ts";
import { numberOf, type Row, textOf } from "../../../base/durable/columns.ts";
import type { Folders } from "./folders.ts";
import type { FoundFile } from "./new-message.ts";
import { placeColumn, placeOf } from "./rows.ts";

/** A file that stays unreadable is a finding after this number of attempts: the index then is not behind for it. */
const ATTEMPTS_MAX = 3;

/** The first wait after a failed attempt in ms. Each further one is twice as long, up to an hour. */
const FIRST_WAIT = 10_000;
const LONGEST_WAIT = 3_600_000;

export interface PendingFile extends FoundFile {
  /** mtime of the file in ms. */
  readonly delivered: number;
  /** Octets of the file. */
  readonly size: number;
}

export class PendingFiles {
  readonly #database: Database;
  readonly #folders: Folders;

  constructor(database: Database, folders: Folders) {
    this.#database = database;
    this.#folders = folders;
  }

  /** Called in a transaction. */
  add(files: readonly PendingFile[]): void {
    for (const file of files) {
      const { folder } = this.#folders.ensure(file.account, file.directory);
      this.#database.run(
        `INSERT INTO pending (delivered, folder, name, place, size) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET place = excluded.place`,
        Math.floor(file.delivered),
        folder,
        file.name,
        placeColumn(file),
        file.size,
      );
    }
  }

  /** Called in a transaction, when the files are in the index or gone. */
  done(files: readonly PendingFile[]): void {
    for (const file of files) {
      const folder = this.#folders.find(file.account, file.directory)?.folder;
      if (folder === undefined) continue;
      this.#database.run(
        "DELETE FROM pending WHERE delivered = ? AND folder = ? AND name = ?",
        Math.floor(file.delivered),
        folder,
        file.name,
      );
    }
  }

  /** Called in a transaction, when files could not be read. They wait longer each time. */
  failed(files: readonly PendingFile[], now: number): void {
    for (const file of files) {
      const folder = this.#folders.find(file.account, file.directory)?.folder;
      if (folder === undefined) continue;
      this.#database.run(
        `UPDATE pending SET due = ? + min(?, ? << min(attempts, 20)), attempts = attempts + 1
           WHERE delivered = ? AND folder = ? AND name = ?`,
        now,
        LONGEST_WAIT,
        FIRST_WAIT,
        Math.floor(file.delivered),
        folder,
        file.name,
      );
    }
  }

  /** The oldest of those that are due. */
  next(limit: number, now: number): PendingFile[] {
    return this.#database
      .all(
        `SELECT p.*, a.name AS account, f.directory FROM pending p
           JOIN folders f ON f.number = p.folder JOIN accounts a ON a.number = f.account
           WHERE p.due <= ? ORDER BY p.delivered LIMIT ?`,
        now,
        limit,
      )
      .map(pendingOf);
  }

  /** Files that an attempt may still bring into the index. */
  get hasWaiting(): boolean {
    const sql = "SELECT 1 FROM pending WHERE attempts < ? LIMIT 1";
    return this.#database.get(sql, ATTEMPTS_MAX) !== undefined;
  }
}

function pendingOf(row: Row): PendingFile {
  const { part, name, suffix } = placeOf(textOf(row["name"]), row["place"]);
  return {
    account: textOf(row["account"]),
    directory: textOf(row["directory"]),
    part,
    name,
    suffix,
    delivered: numberOf(row["delivered"]),
    size: numberOf(row["size"]),
  };
}
