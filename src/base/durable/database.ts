// The SQLite connection of the spool: transactions, statements prepared once, and what its errors mean.
//
// Invariants: WAL with synchronous=FULL, so what has returned is on disk. No commit rests on a write that failed:
// after an I/O error nothing is committed until the log has been checkpointed and emptied.

import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { createPrivate, syncDirectoryNow } from "./directory.ts";
import { numberOf, type Row } from "./columns.ts";

type Parameter = string | number | null | Uint8Array;

export class Database {
  readonly #connection: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  /** A write has failed, and what it left behind is still in the log. */
  #suspect = false;

  /** Opens the file, or creates it. */
  constructor(file: string) {
    createPrivate(file);
    this.#connection = new DatabaseSync(file, { timeout: 10_000 });
    try {
      this.#connection.exec("PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL");
      this.#connection.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
      this.#connection.exec("PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -4000");
      syncDirectoryNow(dirname(file));
    } catch (error) {
      this.#connection.close();
      throw error;
    }
  }

  /** Kept for the next time it is asked for. */
  prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#connection.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** The number of rows that were changed. */
  run(sql: string, ...values: Parameter[]): number {
    return Number(this.prepare(sql).run(...values).changes);
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

  /** One transaction: when this returns it is on disk, when it throws nothing of it is in force. */
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
   * Linux reports a failed fsync once and forgets what it could not write. SQLite forgets the failed frames too,
   * and writes the next ones over them; but until then they are in the log, and a crash would bring back a
   * message that its sender was told we do not have. So the log is copied into the database, synced, and cut to
   * nothing: what follows is written and synced anew. Throws while that fails, and so does every commit.
   */
  mend(): void {
    if (!this.#suspect) return;
    const result = this.get("PRAGMA wal_checkpoint(TRUNCATE)");
    if (result?.["busy"] !== 0) throw new Error("somebody else is reading the database");
    this.#suspect = false;
  }

  /** Pages that hold nothing any more. */
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

/** The disk could not be read just now, or a sector of it no longer can. */
export function isReadError(error: unknown): boolean {
  return codeOf(error) === SQLITE.IOERR_READ;
}

export function isWriteError(error: unknown): boolean {
  return (codeOf(error) & PRIMARY) === SQLITE.IOERR && !isReadError(error) && !isDamage(error);
}

export function isFull(error: unknown): boolean {
  return (codeOf(error) & PRIMARY) === SQLITE.FULL;
}

/** The file is not what was written: no later attempt will read it either. */
export function isDamage(error: unknown): boolean {
  const code = codeOf(error);
  const primary = code & PRIMARY;
  return (
    primary === SQLITE.CORRUPT || primary === SQLITE.NOTADB || code === SQLITE.IOERR_SHORT_READ
  );
}
