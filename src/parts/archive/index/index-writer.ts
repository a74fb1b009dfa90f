// The writing side of state/index.sqlite. Its calls block, so they are made in a thread of their own.
//
// Invariant: a change is in force as a whole or not at all, also after a kill. The write-ahead log is emptied whenever
// the writer rests, so it does not count for the size of the state.

import type { Database } from "../../../base/durable/database.ts";
import { numberOf } from "../../../base/durable/columns.ts";
import { Folders } from "./folders.ts";
import { MessageRows } from "./message-rows.ts";
import type { MaildirPart } from "../model/maildir-place.ts";
import type { FoundFile, NewMessage } from "./new-message.ts";
import { type PendingFile, PendingFiles } from "./pending.ts";
import { openIndexDatabase } from "./schema.ts";
import { Shelves } from "./shelves.ts";

/** A part of a folder that was listed in full, and its mtime in ms before the listing. */
interface SeenDirectory {
  /** The number of the folder. */
  readonly folder: number;
  readonly part: MaildirPart;
  /** Undefined: it must be listed again. */
  readonly mtime: number | undefined;
}

/** Changes that come into force together. */
export interface IndexChanges {
  readonly messages?: readonly NewMessage[];
  /** Files that were found and are to be indexed. */
  readonly found?: readonly PendingFile[];
  /** Files of earlier `found` that are in the index now, or gone. */
  readonly done?: readonly PendingFile[];
  /** Files of earlier `found` that could not be read. */
  readonly failed?: readonly PendingFile[];
  readonly moved?: readonly {
    readonly id: number;
    readonly file: Pick<FoundFile, "part" | "suffix">;
  }[];
  /** Ids of messages whose files are gone. */
  readonly gone?: readonly number[];
  /** The end of a whole walk, ms since the epoch. */
  readonly walkedAt?: number;
  /** Accounts that were found. */
  readonly accounts?: readonly string[];
  /** Numbers of accounts that are gone, with all their folders. */
  readonly goneAccounts?: readonly number[];
  /** Folders that were found. */
  readonly folders?: readonly { readonly account: string; readonly directory: string }[];
  /** Numbers of folders that are gone, with all their messages. */
  readonly goneFolders?: readonly number[];
  readonly seen?: readonly SeenDirectory[];
}

/** Free pages, as a share of the file, above which they are given back to the file system. */
const FREE_SHARE = 0.05;
const SHRINK_PAGES = 500;

export class IndexWriter {
  readonly #database: Database;
  readonly #folders: Folders;
  readonly #shelves: Shelves;
  readonly #rows: MessageRows;
  readonly #pending: PendingFiles;

  /** Opens the file, or creates it. Throws NewerIndex, or the error of SQLite. */
  constructor(file: string) {
    this.#database = openIndexDatabase(file);
    this.#folders = new Folders(this.#database);
    this.#shelves = new Shelves(this.#database);
    this.#rows = new MessageRows(this.#database, this.#folders, this.#shelves);
    this.#pending = new PendingFiles(this.#database, this.#folders);
  }

  /** Returns the ids of messages that the index did not have before. */
  commit(changes: IndexChanges, now: number): number[] {
    return this.#atomically(() => {
      this.#rows.remove(changes.gone ?? []);
      for (const account of changes.accounts ?? []) this.#folders.ensureAccount(account);
      for (const account of changes.goneAccounts ?? []) this.#folders.removeAccount(account);
      for (const folder of changes.goneFolders ?? []) this.#folders.remove(folder);
      for (const { account, directory } of changes.folders ?? []) {
        this.#folders.ensure(account, directory);
      }
      for (const { id, file } of changes.moved ?? []) this.#rows.move(id, file);
      const added = this.#rows.add(changes.messages ?? []);
      this.#pending.done(changes.done ?? []);
      this.#pending.failed(changes.failed ?? [], now);
      this.#pending.add(changes.found ?? []);
      for (const seen of changes.seen ?? []) this.#noteSeen(seen);
      if (changes.walkedAt !== undefined) this.#noteWalk(changes.walkedAt);
      return added;
    });
  }

  /** Removes rows. The files are the caller's. Returns the number of rows that were there. */
  remove(ids: readonly number[]): number {
    return this.#atomically(() => this.#rows.remove(ids));
  }

  /** The oldest files that are to be indexed. */
  pending(limit: number, now: number): PendingFile[] {
    return this.#pending.next(limit, now);
  }

  /** One step of merging or shrinking, of some milliseconds. Returns whether there may be another. */
  tidy(isThorough = false): boolean {
    if (this.#shelves.tidy(isThorough)) return true;
    const { freePages } = this.#database;
    const pages = numberOf(this.#database.get("PRAGMA page_count")?.["page_count"]);
    if (freePages <= pages * FREE_SHARE) return false;
    this.#database.shrink(SHRINK_PAGES);
    return this.#database.freePages < freePages;
  }

  /** Copies the write-ahead log into the database and empties it. A reader may keep it from that; then later. */
  emptyLog(): void {
    this.#database.get("PRAGMA wal_checkpoint(TRUNCATE)");
  }

  close(): void {
    this.#database.close();
  }

  #atomically<T>(work: () => T): T {
    try {
      return this.#database.atomically(work);
    } catch (error) {
      this.#folders.forget();
      throw error;
    }
  }

  #noteWalk(at: number): void {
    this.#database.run("INSERT OR REPLACE INTO meta (name, value) VALUES ('walked', ?)", at);
  }

  #noteSeen({ folder, part, mtime }: SeenDirectory): void {
    const column = part === "new" ? "new_seen" : "cur_seen";
    this.#database.run(`UPDATE folders SET ${column} = ? WHERE number = ?`, mtime ?? null, folder);
  }
}
