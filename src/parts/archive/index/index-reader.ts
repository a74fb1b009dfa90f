// The reading side of state/index.sqlite, on a read-only connection: a writer never waits for a reader, and a reader
// sees what was committed when its statement began. Its calls block.

import { DatabaseSync, type StatementSync } from "node:sqlite";
import { numberOf, type Row, textOf } from "../../../base/durable/columns.ts";
import { deliveredAtOf } from "../model/ids.ts";
import { type MaildirFile } from "../model/maildir-place.ts";
import type { ArchivedMessage } from "../model/message.ts";
import { type KnownFile, knownFile } from "./message-rows.ts";
import { contentHash, MESSAGE_COLUMNS, messageOf, placeOf } from "./rows.ts";
import { versionOf } from "./schema.ts";

type Value = string | number | null | Uint8Array;

/** The messages of the index, all together. */
export interface Totals {
  readonly accounts: number;
  readonly messages: number;
  /** Octets of the files. */
  readonly bytes: number;
  /** Time of the first delivery in ms; undefined if there is no message. */
  readonly oldest: number | undefined;
  readonly newest: number | undefined;
}

/** Where the file of a message was when it was last looked for. */
export interface IndexedFile {
  readonly account: string;
  /** The directory of its folder below the Maildir. */
  readonly directory: string;
  readonly file: MaildirFile;
}

export class IndexReader {
  readonly #connection: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** Throws NewerIndex, or the error of SQLite. */
  constructor(file: string) {
    this.#connection = new DatabaseSync(file, { readOnly: true, timeout: 10_000 });
    try {
      this.#connection.exec("PRAGMA cache_size = -8000; PRAGMA query_only = ON");
      versionOf(file, { get: (sql) => this.get(sql) });
    } catch (error) {
      this.#connection.close();
      throw error;
    }
  }

  all(sql: string, ...values: Value[]): Row[] {
    return this.#prepare(sql).all(...values);
  }

  get(sql: string, ...values: Value[]): Row | undefined {
    return this.#prepare(sql).get(...values);
  }

  message(id: number): ArchivedMessage | undefined {
    const row = this.get(`SELECT ${MESSAGE_COLUMNS} WHERE m.id = ?`, id);
    return row && messageOf(row);
  }

  /** The rows of these ids that exist, in the order of the ids. */
  messages(ids: readonly number[]): ArchivedMessage[] {
    return ids.flatMap((id) => this.message(id) ?? []);
  }

  /** The messages after this id, the oldest first. */
  oldestFirst(after: number, limit: number): ArchivedMessage[] {
    return this.all(
      `SELECT ${MESSAGE_COLUMNS} WHERE m.id > ? ORDER BY m.id LIMIT ?`,
      after,
      limit,
    ).map(messageOf);
  }

  /** The messages of an account whose content is this one, by its hash without the delivery headers. */
  withContent(account: string, contentSha256: string): ArchivedMessage[] {
    return this.all(
      `SELECT ${MESSAGE_COLUMNS} JOIN contents c ON c.id = m.id WHERE c.hash = ? AND a.name = ?`,
      contentHash(contentSha256),
      account,
    )
      .map(messageOf)
      .filter((message) => message.contentSha256 === contentSha256);
  }

  /** The row of a file of this folder. */
  known(account: string, directory: string, name: string): KnownFile | undefined {
    const row = this.get(
      `SELECT f.number FROM folders f JOIN accounts a ON a.number = f.account
         WHERE a.name = ? AND f.directory = ?`,
      account,
      directory,
    );
    return row && knownFile(this, numberOf(row["number"]), name);
  }

  fileOf(id: number): IndexedFile | undefined {
    const row = this.get(
      `SELECT m.unique_name, m.place, a.name AS account, f.directory FROM messages m
         JOIN folders f ON f.number = m.folder JOIN accounts a ON a.number = m.account WHERE m.id = ?`,
      id,
    );
    if (row === undefined) return undefined;
    const file = placeOf(textOf(row["unique_name"]), row["place"]);
    return { account: textOf(row["account"]), directory: textOf(row["directory"]), file };
  }

  totals(): Totals {
    const sums = this.get(
      `SELECT count(DISTINCT account) AS accounts, total(messages) AS messages, total(bytes) AS bytes
         FROM folders WHERE messages > 0`,
    );
    return {
      accounts: numberOf(sums?.["accounts"]),
      messages: numberOf(sums?.["messages"]),
      bytes: numberOf(sums?.["bytes"]),
      oldest: this.#deliveredAt("ASC"),
      newest: this.#deliveredAt("DESC"),
    };
  }

  /** Whether files were found that an attempt may still bring into the index. */
  get hasPending(): boolean {
    return this.get("SELECT 1 FROM pending WHERE attempts < 3 LIMIT 1") !== undefined;
  }

  close(): void {
    this.#statements.clear();
    this.#connection.close();
  }

  #deliveredAt(order: "ASC" | "DESC"): number | undefined {
    const row = this.get(`SELECT id, shift FROM messages ORDER BY id ${order} LIMIT 1`);
    return row && deliveredAtOf(numberOf(row["id"]), numberOf(row["shift"]));
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#connection.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}
