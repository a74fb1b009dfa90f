// The spool's SQLite side: synchronous, one transaction a call. The relay runs it in a thread of its own, so that
// a slow disk stalls no session; relayctl runs it in its own process.
//
// Invariants: WAL with synchronous=FULL, so what has returned is on disk. Transactions that wait together share one
// commit; when that fails it is rolled back and each is tried by itself, so that one's trouble is not another's.

import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { MessageId } from "../envelope.ts";
import type { Change, Selection } from "../spool.ts";
import { bodyDirectory, bodyFile } from "./body.ts";
import { createLoader, type Loader } from "./loader.ts";
import {
  type CommitResult,
  idNumber,
  idText,
  numberOf,
  type StoredRow,
  type Transaction,
  type Write,
} from "./rows.ts";
import { SCHEMA, SCHEMA_VERSION } from "./schema.ts";

export interface Recovery {
  readonly messages: number;
  /** Messages whose attempt the last run did not settle; they are due now. */
  readonly inFlight: number;
  /** The highest id in the spool; 0 when it is empty. */
  readonly lastId: number;
}

/** A message that was under attempt when the relay died this often waits before it is tried again. */
const INTERRUPTIONS_BEFORE_WAIT = 3;
const WAIT_PER_INTERRUPTION = 300_000;

/** Of recipients; null is every domain. */
const IN_DOMAIN = "(? IS NULL OR json_extract(request, '$.mailbox.domain') = ?)";

export class Engine {
  readonly #database: DatabaseSync;
  readonly #directory: string;
  readonly #statements = new Map<string, StatementSync>();
  readonly #load: Loader;
  /** Files of messages removed in the transaction under way. */
  readonly #ownerlessFiles: string[] = [];

  /** Opens the spool in `directory` and creates what is missing. Throws when it is no spool of this version. */
  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(bodyDirectory(directory), { recursive: true, mode: 0o700 });
    this.#database = new DatabaseSync(join(directory, "spool.sqlite"), { timeout: 10_000 });
    this.#database.exec("PRAGMA page_size = 8192");
    this.#database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    this.#database.exec("PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -16000");
    const version = numberOf(this.#database.prepare("PRAGMA user_version").get()?.["user_version"]);
    if (version === 0) this.#database.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT`);
    else if (version !== SCHEMA_VERSION) {
      throw new Error(
        `spool ${directory} has version ${version}, this program needs ${SCHEMA_VERSION}`,
      );
    }
    this.#load = createLoader(this.#database);
  }

  #run(sql: string, ...values: (string | number | null | Uint8Array)[]): void {
    this.#statement(sql).run(...values);
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** Commits all transactions at once; when that fails, each by itself. Results are in the same order. */
  commit(transactions: readonly Transaction[]): CommitResult[] {
    try {
      this.#atomically(() => {
        for (const writes of transactions) for (const write of writes) this.#apply(write);
      });
    } catch (error) {
      this.#ownerlessFiles.length = 0;
      if (transactions.length <= 1) return transactions.map(() => describe(error));
      return transactions.flatMap((transaction) => this.commit([transaction]));
    }
    this.#removeBodyFiles();
    return transactions.map(() => undefined);
  }

  #atomically<T>(work: () => T): T {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  #apply(write: Write): void {
    if (write.kind === "insert") this.#insert(write);
    else if (write.kind === "remove") this.#remove(write.id);
    else this.#settle(write);
  }

  #insert(message: Extract<Write, { kind: "insert" }>): void {
    this.#run(
      "INSERT INTO messages (id, state, next_attempt, received_at, size, checksum, envelope) VALUES (?, ?, ?, ?, ?, ?, ?)",
      message.id,
      message.state,
      message.receivedAt,
      message.receivedAt,
      message.size,
      message.checksum,
      message.envelope,
    );
    if (message.body !== undefined) {
      this.#run("INSERT INTO bodies (message, bytes) VALUES (?, ?)", message.id, message.body);
    }
    for (const [position, request] of message.recipients.entries()) {
      this.#run(
        "INSERT INTO recipients (message, position, request, state, attempts, next_attempt) VALUES (?, ?, ?, 'pending', 0, ?)",
        message.id,
        position,
        request,
        message.receivedAt,
      );
    }
  }

  #settle(settled: Extract<Write, { kind: "settle" }>): void {
    for (const entry of settled.journal) {
      this.#run(
        "INSERT OR REPLACE INTO journal (message, position, address, router, transport, outcome, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        settled.id,
        entry.position,
        entry.address,
        entry.router,
        entry.transport,
        entry.outcome,
        entry.at,
      );
    }
    for (const change of settled.recipients) {
      this.#run(
        "UPDATE recipients SET state = ?, attempts = ?, first_failure = ?, next_attempt = ?, last_status = ? WHERE message = ? AND position = ?",
        change.state,
        change.attempts,
        change.firstFailure ?? null,
        change.nextAttempt,
        change.lastStatus === undefined ? null : JSON.stringify(change.lastStatus),
        settled.id,
        change.position,
      );
    }
    if (settled.state === undefined) return;
    this.#run(
      `UPDATE messages SET state = ?, warnings = ?, next_attempt = coalesce(
         (SELECT min(next_attempt) FROM recipients WHERE message = ? AND state = 'pending'), next_attempt)
       WHERE id = ?`,
      settled.state,
      settled.warnings,
      settled.id,
      settled.id,
    );
  }

  #remove(id: number): void {
    this.#run("DELETE FROM messages WHERE id = ?", id);
    this.#run("DELETE FROM recipients WHERE message = ?", id);
    this.#run("DELETE FROM journal WHERE message = ?", id);
    const { changes } = this.#statement("DELETE FROM bodies WHERE message = ?").run(id);
    if (changes === 0) this.#ownerlessFiles.push(idText(id));
  }

  /** A body file outlives its message's row, never the other way round; recovery clears what a crash leaves. */
  #removeBodyFiles(): void {
    for (const id of this.#ownerlessFiles.splice(0)) {
      rmSync(bodyFile(this.#directory, id), { force: true });
    }
  }

  /** Due messages, oldest first, marked active in the same transaction. */
  take(now: number, limit: number): StoredRow[] {
    return this.#atomically(() => {
      const due = this.#statement(
        "SELECT id FROM messages WHERE state = 'queued' AND next_attempt <= ? ORDER BY next_attempt LIMIT ?",
      ).all(now, limit);
      return due.flatMap(({ id }) => {
        this.#run("UPDATE messages SET state = 'active' WHERE id = ?", numberOf(id));
        const row = this.#load(numberOf(id), true);
        return row === undefined ? [] : [row];
      });
    });
  }

  nextDue(): number | undefined {
    const row = this.#statement(
      "SELECT next_attempt AS due FROM messages WHERE state = 'queued' ORDER BY next_attempt LIMIT 1",
    ).get();
    return row === undefined ? undefined : numberOf(row["due"]);
  }

  count(): number {
    return numberOf(this.#statement("SELECT count(*) AS n FROM messages").get()?.["n"]);
  }

  /** Makes what is selected due at `now`, and thaws what is frozen. */
  retry(selection: Selection, now: number): Change[] {
    const domain = selection.kind === "domain" ? selection.domain : null;
    return this.#atomically(() =>
      this.#changeEach(this.#selected(selection), (id) => this.#makeDue(id, domain, now)),
    );
  }

  #selected(selection: Selection): MessageId[] {
    if (selection.kind === "ids") return [...selection.ids];
    const waiting = "SELECT id FROM messages WHERE state <> 'active'";
    const rows =
      selection.kind === "all"
        ? this.#statement(`${waiting} ORDER BY id`).all()
        : this.#statement(
            `${waiting} AND id IN (SELECT message FROM recipients
               WHERE state IN ('pending', 'frozen') AND ${IN_DOMAIN}) ORDER BY id`,
          ).all(selection.domain, selection.domain);
    return rows.map(({ id }) => idText(numberOf(id)));
  }

  #makeDue(id: number, domain: string | null, now: number): void {
    const frozen = "SELECT position FROM journal WHERE message = ? AND outcome = 'frozen'";
    this.#run(
      `UPDATE recipients SET state = 'pending',
         first_failure = CASE state WHEN 'frozen' THEN NULL ELSE first_failure END
       WHERE message = ? AND (state = 'frozen' OR position IN (${frozen})) AND ${IN_DOMAIN}`,
      id,
      id,
      domain,
      domain,
    );
    this.#run(
      `DELETE FROM journal WHERE message = ? AND outcome = 'frozen' AND position IN
         (SELECT position FROM recipients WHERE message = ? AND ${IN_DOMAIN})`,
      id,
      id,
      domain,
      domain,
    );
    this.#run(
      `UPDATE recipients SET next_attempt = ? WHERE message = ? AND state = 'pending' AND ${IN_DOMAIN}`,
      now,
      id,
      domain,
      domain,
    );
    this.#run("UPDATE messages SET state = 'queued', next_attempt = ? WHERE id = ?", now, id);
  }

  remove(ids: readonly MessageId[]): Change[] {
    const changes = this.#atomically(() => this.#changeEach(ids, (id) => this.#remove(id)));
    this.#removeBodyFiles();
    return changes;
  }

  #changeEach(ids: readonly MessageId[], change: (id: number) => void): Change[] {
    return ids.map((id) => {
      const number = idNumber(id);
      const row = this.#statement("SELECT state FROM messages WHERE id = ?").get(number);
      if (row === undefined || idText(number) !== id) return { id, result: "unknown" };
      if (row["state"] === "active") return { id, result: "active" };
      change(number);
      return { id, result: "done" };
    });
  }

  /** What a dead relay left: attempts under way become due, bodies that no message owns are removed. */
  recover(now: number): Recovery {
    const inFlight = this.#atomically(() => {
      const result = this.#statement(
        `UPDATE messages SET state = 'queued', interruptions = interruptions + 1,
           next_attempt = ? + CASE WHEN interruptions + 1 >= ? THEN (interruptions + 1) * ? ELSE 0 END
         WHERE state = 'active'`,
      ).run(now, INTERRUPTIONS_BEFORE_WAIT, WAIT_PER_INTERRUPTION);
      return Number(result.changes);
    });
    const last = this.#statement("SELECT max(id) AS id FROM messages").get()?.["id"];
    for (const name of readdirSync(bodyDirectory(this.#directory))) {
      const id = Number.parseInt(name, 36);
      const owned = this.#statement("SELECT 1 FROM messages WHERE id = ?").get(id) !== undefined;
      if (!owned) rmSync(bodyFile(this.#directory, name), { force: true });
    }
    return { messages: this.count(), inFlight, lastId: typeof last === "number" ? last : 0 };
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }
}

const SQLITE_FULL = 13;

function describe(error: unknown): NonNullable<CommitResult> {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && "errcode" in error ? error.errcode : undefined;
  return { message, full: code === SQLITE_FULL };
}
