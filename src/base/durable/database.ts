// An SQLite connection: transactions, statements prepared once, and the meaning of its errors.
//
// Invariants: the database uses WAL. With the settings of the spool, synchronous=FULL, a transaction that has returned is
// on disk. No commit rests on a failed write: after an I/O error nothing is committed until the write-ahead log has been
// checkpointed and emptied.

import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { createPrivate, syncDirectoryNow } from "./directory.ts";
import { numberOf, type Row } from "./columns.ts";

type Parameter = string | number | null | Uint8Array;

interface DatabaseSettings {
  /** Bytes of a page of a new file. */
  readonly pageSize: number;
  /** With "NORMAL" a power cut may undo the last transactions, but leaves the database whole. */
  readonly synchronous: "FULL" | "NORMAL";
  /** Pages in the write-ahead log after which a commit copies them into the database. */
  readonly checkpointAt: number;
  /** KiB of pages in memory. */
  readonly cache: number;
}

const SPOOL: DatabaseSettings = {
  pageSize: 8192,
  synchronous: "FULL",
  checkpointAt: 4000,
  cache: 4000,
};

export class Database {
  readonly #connection: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  /** A write has failed, and its remains are still in the write-ahead log. */
  #suspect = false;

  /** Opens the file, or creates it. */
  constructor(file: string, settings = SPOOL) {
    const { pageSize, synchronous, checkpointAt, cache } = settings;
    createPrivate(file);
    this.#connection = new DatabaseSync(file, { timeout: 10_000 });
    try {
      this.#connection.exec(`PRAGMA page_size = ${pageSize}; PRAGMA auto_vacuum = INCREMENTAL`);
      this.#connection.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}`);
      this.#connection.exec(`PRAGMA wal_autocheckpoint = ${checkpointAt}`);
      this.#connection.exec(`PRAGMA cache_size = -${cache}`);
      syncDirectoryNow(dirname(file));
    } catch (error) {
      this.#connection.close();
      throw error;
    }
  }

  /** The statement is kept, so it is prepared only once. */
  prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#connection.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** Returns the number of changed rows. */
  run(sql: string, ...values: Parameter[]): number {
    const statement = this.prepare(sql);
    // FTS5 uses row ids beyond the safe integers, and Node throws for the id of the last row that was written.
    statement.setReadBigInts(true);
    return Number(statement.run(...values).changes);
  }

  get(sql: string, ...values: Parameter[]): Row | undefined {
    return this.prepare(sql).get(...values);
  }

  all(sql: string, ...values: Parameter[]): Row[] {
    return this.prepare(sql).all(...values);
  }

  exec(sql: string): void {
    this.#connection.exec(sql);
  }

  /**
   * Runs `work` in one transaction. When this returns, its changes are on disk. When it throws, none of them is in
   * force.
   */
  atomically<T>(work: () => T): T {
    this.mend();
    this.#connection.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#connection.exec("COMMIT");
      return result;
    } catch (error) {
      this.#suspect ||= isWriteError(error);
      if (this.#connection.isTransaction) this.#connection.exec("ROLLBACK");
      throw error;
    }
  }

  /**
   * Linux reports a failed fsync once and then forgets the data that it could not write. SQLite forgets the failed
   * frames too and writes the next ones over them. Until then the frames are in the write-ahead log, and a crash would
   * bring back a message that the relay has told its sender it does not have.
   *
   * So the log is copied into the database, synced and truncated. Later commits are written and synced anew. This
   * throws while that fails, and so does every commit.
   */
  mend(): void {
    if (!this.#suspect) return;
    const result = this.get("PRAGMA wal_checkpoint(TRUNCATE)");
    if (result?.["busy"] !== 0) throw new Error("another process is reading the database");
    this.#suspect = false;
  }

  /** Number of pages that hold nothing any more. */
  get freePages(): number {
    return numberOf(this.get("PRAGMA freelist_count")?.["freelist_count"]);
  }

  /** Gives up to `pages` free pages back to the file system. */
  shrink(pages: number): void {
    this.#connection.exec(`PRAGMA incremental_vacuum(${pages}); PRAGMA wal_checkpoint(PASSIVE)`);
  }

  close(): void {
    this.#statements.clear();
    this.#connection.close();
  }
}

const SQLITE = {
  IOERR: 10,
  CORRUPT: 11,
  FULL: 13,
  NOTADB: 26,
  IOERR_READ: 10 + 256 * 1,
  IOERR_SHORT_READ: 10 + 256 * 2,
} as const;

/** SQLite's extended result code. */
function codeOf(error: unknown): number {
  const code = error instanceof Error && "errcode" in error ? error.errcode : undefined;
  return typeof code === "number" ? code : 0;
}

const PRIMARY = 0xff;

/** The disk could not be read just now, or a sector of it is unreadable. */
export function isReadError(error: unknown): boolean {
  return codeOf(error) === SQLITE.IOERR_READ;
}

export function isWriteError(error: unknown): boolean {
  return (codeOf(error) & PRIMARY) === SQLITE.IOERR && !isReadError(error) && !isDamage(error);
}

export function isFull(error: unknown): boolean {
  return (codeOf(error) & PRIMARY) === SQLITE.FULL;
}

/** The content of the file has changed since it was written, so no later attempt will read it either. */
export function isDamage(error: unknown): boolean {
  const code = codeOf(error);
  const primary = code & PRIMARY;
  return (
    primary === SQLITE.CORRUPT || primary === SQLITE.NOTADB || code === SQLITE.IOERR_SHORT_READ
  );
}
