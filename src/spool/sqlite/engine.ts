// The SQLite side of the spool: synchronous, one transaction a call. It runs in a thread of its own, so that a slow
// disk stalls no session.
//
// Invariants:
// - When a call returns, its changes are on disk.
// - Transactions that wait together share one commit. If it fails, it is rolled back and each is tried by itself, so
//   that a bad transaction does not fail another.
// - A body file outlives the row of its message, never the other way round.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { MessageId } from "../../mail/envelope.ts";
import type { Change, ListedWhy, ListEntry, PostmasterList } from "../spool.ts";
import type { HostHint } from "../../mail/host.ts";
import { idNumber, idText } from "../../mail/ids.ts";
import { numberOf } from "../../base/durable/columns.ts";
import { BodyFiles } from "./body-files.ts";
import { bodyDirectory } from "./body.ts";
import {
  Database,
  isDamage,
  isFull,
  isReadError,
  isWriteError,
} from "../../base/durable/database.ts";
import { readHints, saveHint } from "./hint-table.ts";
import { changeEach, changeMessages, type Wanted } from "./changes.ts";
import { readHolds, releaseHeld, saveHold, type StoredHold } from "./hold-table.ts";
import { ageFrozen } from "./frozen.ts";
import { addToList, forgetList, readList } from "./list-table.ts";
import { createLoader, type Loader } from "./loader.ts";
import { endInterrupted } from "./interrupted.ts";
import { flagOf, writeSettlement } from "./settlement-rows.ts";
import { restore } from "./restore.ts";
import { type CommitResult, type StoredRow, type Transaction, type Write } from "./rows.ts";
import { SCHEMA_VERSION, upgrade } from "./schema.ts";
import { isAhead } from "../engine/clock-ahead.ts";
import { impossiblyLate, mendSome, mendTimes } from "./set-back.ts";
import { awaitedKeys, wakeWaiting } from "./waiting.ts";
import { WithheldMail } from "./withheld.ts";

export interface Recovery {
  readonly messages: number;
  /** Number of messages whose attempt the last run did not settle. They are due now. */
  readonly inFlight: number;
  /** The highest id in the spool; 0 if it is empty. */
  readonly lastId: number;
}

/** Tables besides the messages that may be readable in a damaged spool. */
export interface RestoredTables {
  readonly holds?: readonly StoredHold[];
  readonly list?: readonly ListEntry[];
}

export interface ClaimedRows {
  readonly changes: readonly Change[];
  readonly rows: readonly StoredRow[];
}

/** Milliseconds until a message that the disk could not read is tried again. */
const UNREADABLE_PAUSE = 300_000;
/** Free pages that are kept for new mail: 16 MiB. */
const FREE_PAGES_KEPT = 2048;
/** Pages given back at once. That takes a few milliseconds, which is the longest that a commit waits for it. */
const SHRINK_PAGES = 256;

export const DATABASE = "spool.sqlite";

export class Engine {
  readonly #database: Database;
  readonly #bodyFiles: BodyFiles;
  readonly #load: Loader;
  readonly withheld: WithheldMail;
  /** Messages removed in the present transaction whose body is in a file. */
  readonly #removed: MessageId[] = [];

  /**
   * Opens the spool in `directory` and creates missing files. Throws if its version is unknown. If the database cannot
   * be read, the error is one that isDamage() recognizes.
   */
  constructor(directory: string) {
    mkdirSync(bodyDirectory(directory), { recursive: true, mode: 0o700 });
    this.#bodyFiles = new BodyFiles(directory);
    this.#database = new Database(join(directory, DATABASE));
    try {
      if (!upgrade(this.#database)) {
        const version = String(this.#database.get("PRAGMA user_version")?.["user_version"]);
        throw new Error(
          `spool ${directory} has version ${version}, this program needs ${SCHEMA_VERSION}`,
        );
      }
      this.#load = createLoader(this.#database);
      this.withheld = new WithheldMail(this.#database);
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /**
   * Commits all transactions at once. If that fails, commits each by itself. Results are in the same order. A message
   * that a clock ahead of `now` has put off becomes due at `now`.
   * Throws only if the database is damaged; then nothing was committed.
   */
  commit(transactions: readonly Transaction[], now: number): CommitResult[] {
    try {
      this.#commitTogether(transactions, now);
      return transactions.map(() => undefined);
    } catch (error) {
      if (isDamage(error)) throw error;
      // An error of the disk would hit each of them.
      const alone = transactions.length <= 1 || isWriteError(error);
      return transactions.map((one) => (alone ? describe(error) : this.#commitAlone(one, now)));
    }
  }

  #commitAlone(transaction: Transaction, now: number): CommitResult {
    try {
      this.#commitTogether([transaction], now);
      return undefined;
    } catch (error) {
      return describe(error);
    }
  }

  #commitTogether(transactions: readonly Transaction[], now: number): void {
    this.#removed.length = 0;
    this.#database.atomically(() => {
      for (const write of transactions.flat()) {
        this.#apply(write);
        if ("at" in write && isAhead(write.at, now)) mendTimes(this.#database, write.id, now);
      }
    });
    this.#bodyFiles.remove(this.#removed);
  }

  #apply(write: Write): void {
    switch (write.kind) {
      case "insert":
        return this.#insert(write);
      case "settle":
        return this.has(write.id) ? writeSettlement(this.#database, write) : undefined;
      case "remove":
        return this.#remove(write.id);
      case "hint":
        return saveHint(this.#database, write.key, write.hint);
      case "hold":
        return saveHold(this.#database, write);
      case "list":
        return addToList(this.#database, write.entries);
      case "forget-list":
        return forgetList(this.#database, write.list);
      case "postpone":
        return this.#postpone(write);
    }
  }

  #insert(message: Extract<Write, { kind: "insert" }>): void {
    this.#database.run(
      `INSERT INTO messages (id, state, next_attempt, received_at, size, checksum, envelope, envelope_checksum, scheduled_at, vouched)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      message.id,
      message.state,
      message.at,
      message.at,
      message.size,
      message.checksum,
      message.envelope,
      message.envelopeChecksum,
      message.at,
      flagOf(message.vouched),
    );
    if (message.body !== undefined) {
      this.#database.run(
        "INSERT INTO bodies (message, bytes) VALUES (?, ?)",
        message.id,
        message.body,
      );
    }
    for (const [position, request] of message.recipients.entries()) {
      this.#database.run(
        "INSERT INTO recipients (message, position, request, state, attempts, next_attempt) VALUES (?, ?, ?, 'pending', 0, ?)",
        message.id,
        position,
        request,
        message.at,
      );
    }
  }

  #remove(id: number): void {
    this.#database.run("DELETE FROM messages WHERE id = ?", id);
    this.#database.run("DELETE FROM recipients WHERE message = ?", id);
    this.#database.run("DELETE FROM journal WHERE message = ?", id);
    const inline = this.#database.run("DELETE FROM bodies WHERE message = ?", id);
    if (inline === 0) this.#removed.push(idText(id));
  }

  #postpone({ id, at, delay }: Extract<Write, { kind: "postpone" }>): void {
    this.#database.run(
      "UPDATE messages SET state = 'queued', next_attempt = ?, scheduled_at = ? WHERE id = ?",
      at + delay,
      at,
      id,
    );
  }

  /** Returns due messages without large bodies, oldest first. Marks them active in the same transaction. */
  take(now: number, limit: number): StoredRow[] {
    for (;;) {
      let reading = 0;
      try {
        return this.#database.atomically(() => {
          return this.#due(now, limit).flatMap((id) => {
            reading = id;
            this.#database.run("UPDATE messages SET state = 'active' WHERE id = ?", reading);
            const row = this.#load(reading, "small");
            return row === undefined ? [] : [row];
          });
        });
      } catch (error) {
        // A message on an unreadable sector must not hold up other messages.
        if (!isReadError(error) || reading === 0) throw error;
        this.#database.atomically(() =>
          this.#postpone({ kind: "postpone", id: reading, at: now, delay: UNREADABLE_PAUSE }),
        );
      }
    }
  }

  #due(now: number, limit: number): number[] {
    const due = this.#database.all(
      "SELECT id FROM messages WHERE state = 'queued' AND next_attempt <= ? ORDER BY next_attempt LIMIT ?",
      now,
      limit,
    );
    const late = impossiblyLate(this.#database, now, limit - due.length);
    for (const id of late) mendTimes(this.#database, id, now);
    return [...due.map(({ id }) => numberOf(id)), ...late];
  }

  /**
   * Makes messages due that a clock ahead of `now` has put off, among some of those after the id `after`. Returns the
   * id to go on from, or undefined at the end.
   */
  mendTimes(now: number, after: number): number | undefined {
    return this.#database.atomically(() => mendSome(this.#database, now, after));
  }

  /** Returns one message with its whole body. */
  load(id: number): StoredRow | undefined {
    return this.#load(id, "all");
  }

  /** Returns at most `length` octets of a body. Undefined if the database does not have the body. */
  bodyPart(id: number, from: number, length: number): Uint8Array | undefined {
    const part = this.#database.get(
      "SELECT substr(bytes, ?, ?) AS part FROM bodies WHERE message = ?",
      from + 1,
      length,
      id,
    )?.["part"];
    return part instanceof Uint8Array ? part : undefined;
  }

  hints(): [key: string, hint: HostHint][] {
    return readHints(this.#database);
  }

  awaited(most: number): string[] {
    return awaitedKeys(this.#database, most);
  }

  /** Makes the oldest recipients that wait for a hint due at `now`, at most `most`. Returns their number. */
  wake(waitsFor: string, most: number, now: number): number {
    return this.#database.atomically(() =>
      wakeWaiting(
        this.#database,
        { column: "waits_for", value: waitsFor },
        { most, now, anew: false },
      ),
    );
  }

  holds(): StoredHold[] {
    return readHolds(this.#database);
  }

  ageFrozen(elapsed: number, after: number, most: number): MessageId[] {
    return this.#database.atomically(() => ageFrozen(this.#database, elapsed, after, most));
  }

  listed(whys: readonly ListedWhy[]): PostmasterList {
    return readList(this.#database, whys);
  }

  /** Ends the hold. Makes the oldest recipients that wait for it due at `now`, at most `most`. Returns their number. */
  release(domain: string, most: number, now: number): number {
    return this.#database.atomically(() => releaseHeld(this.#database, domain, most, now));
  }

  nextDue(): number | undefined {
    const row = this.#database.get(
      "SELECT next_attempt AS due FROM messages WHERE state = 'queued' ORDER BY next_attempt LIMIT 1",
    );
    return row === undefined ? undefined : numberOf(row["due"]);
  }

  count(): number {
    return numberOf(this.#database.get("SELECT count(*) AS n FROM messages")?.["n"]);
  }

  /** Carries out an order of the postmaster. */
  change(ids: readonly MessageId[], wanted: Omit<Wanted, "remove">): Change[] {
    this.#removed.length = 0;
    const remove = (id: number) => this.#remove(id);
    const changes = this.#database.atomically(() =>
      changeMessages(this.#database, { ...wanted, remove }, ids),
    );
    this.#bodyFiles.remove(this.#removed);
    return changes;
  }

  /** Returns the messages that are not under attempt, as `take` does. Marks them active in the same transaction. */
  claim(ids: readonly MessageId[]): ClaimedRows {
    return this.#database.atomically(() => {
      const rows: StoredRow[] = [];
      const changes = changeEach(this.#database, ids, (id) => {
        this.#database.run("UPDATE messages SET state = 'active' WHERE id = ?", id);
        const row = this.#load(id, "small");
        if (row !== undefined) rows.push(row);
        return "done";
      });
      return { changes, rows };
    });
  }

  /**
   * Recovers from the end of the last run: interrupted attempts become due, and body files without a message are
   * removed.
   */
  recover(now: number): Recovery {
    // First, because the end of an attempt says nothing of the times of its recipients.
    let after: number | undefined = 0;
    while (after !== undefined) after = this.mendTimes(now, after);
    const inFlight = this.#database.atomically(() => endInterrupted(this.#database, now));
    const last = this.#database.get("SELECT max(id) AS id FROM messages")?.["id"];
    this.#bodyFiles.remove(this.#bodyFiles.names().filter((id) => !this.has(idNumber(id))));
    return { messages: this.count(), inFlight, lastId: typeof last === "number" ? last : 0 };
  }

  has(id: number): boolean {
    return this.#database.get("SELECT 1 FROM messages WHERE id = ?", id) !== undefined;
  }

  /**
   * For idle moments: gives some free pages back to the file system. Returns true if there are more to give. So a queue
   * that has filled the disk makes room as it drains, also for other programs.
   */
  tidy(): boolean {
    this.#database.mend();
    if (this.#database.freePages < FREE_PAGES_KEPT) return false;
    this.#database.shrink(SHRINK_PAGES);
    return true;
  }

  /** Copies messages from another spool, unchanged. If one cannot be copied, throws and copies none. */
  restore(rows: readonly StoredRow[], other: RestoredTables = {}): void {
    const { holds = [], list = [] } = other;
    this.#database.atomically(() => {
      for (const hold of holds) saveHold(this.#database, hold);
      addToList(this.#database, list);
      for (const row of rows) restore(this.#database, row);
    });
  }

  close(): void {
    this.#database.close();
  }
}

function describe(error: unknown): NonNullable<CommitResult> {
  const message = error instanceof Error ? error.message : String(error);
  return { message, full: isFull(error) };
}
