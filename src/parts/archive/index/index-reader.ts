// The reading side of state/index.sqlite, on a read-only connection: a writer never waits for a reader, and a reader
// sees what was committed when its statement began. Its calls block.

import { DatabaseSync, type StatementSync } from "node:sqlite";
import { numberOf, type Row, textOf } from "../../../base/durable/columns.ts";
import { deliveredAtOf } from "../model/ids.ts";
import type { MaildirFile, MaildirPart } from "../model/maildir-place.ts";
import type { ArchivedMessage } from "../model/message.ts";
import { type KnownFile, knownFile } from "./message-rows.ts";
import { hexOf, MESSAGE_COLUMNS, messageOf, placeOf } from "./rows.ts";
import { versionOf } from "./schema.ts";

/** Statements that are kept prepared. */
const STATEMENTS = 300;

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

interface ContentsCursor {
  readonly folder: number;
  readonly hash: number;
  readonly id: number;
}

/** A file, and the hash of its content in hexadecimal, without the delivery headers. */
export interface IndexedContent {
  /** The directory of its folder: "" or ".Sent". */
  readonly directory: string;
  /** The unique name. */
  readonly name: string;
  readonly contentSha256: string;
}

interface ContentsPage {
  readonly contents: readonly IndexedContent[];
  /** Absent on the last page, which is empty. */
  readonly last?: ContentsCursor;
}

export interface KnownAccount {
  readonly number: number;
  readonly name: string;
}

/** A folder of the index, as a walk compares it with its directory. */
export interface KnownFolder {
  readonly number: number;
  readonly account: string;
  readonly directory: string;
  readonly messages: number;
  /** Those of the messages that lie in new/. */
  readonly fresh: number;
  /** By part: its mtime in ms when it was last listed in full. */
  readonly seen: Readonly<Record<MaildirPart, number | undefined>>;
}

interface NamedRow {
  readonly hash: number;
  readonly id: number;
  readonly file: MaildirFile;
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

  /**
   * The contents of an account's messages, a page at a time. `after` is the `last` of the page before.
   */
  contents(account: string, after: ContentsCursor | undefined, limit: number): ContentsPage {
    const { folder, hash, id } = after ?? { folder: 0, hash: 0, id: 0 };
    const rows = this.all(
      `SELECT n.folder, n.hash, n.id, d.directory, m.unique_name, ifnull(m.content_sha256, m.sha256) AS content
         FROM names n JOIN messages m ON m.id = n.id JOIN folders d ON d.number = n.folder
         WHERE n.folder IN (SELECT f.number FROM folders f JOIN accounts a ON a.number = f.account WHERE a.name = ?)
           AND (n.folder, n.hash, n.id) > (?, ?, ?)
         ORDER BY n.folder, n.hash, n.id LIMIT ?`,
      account,
      folder,
      hash,
      id,
      limit,
    );
    const last = rows.at(-1);
    return {
      contents: rows.map((row) => ({
        directory: textOf(row["directory"]),
        name: textOf(row["unique_name"]),
        contentSha256: hexOf(row["content"]),
      })),
      ...(last && {
        last: {
          folder: numberOf(last["folder"]),
          hash: numberOf(last["hash"]),
          id: numberOf(last["id"]),
        },
      }),
    };
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

  /** All accounts, with their numbers, in pages. */
  accounts(after: number, limit: number): KnownAccount[] {
    return this.all(
      "SELECT number, name FROM accounts WHERE number > ? ORDER BY number LIMIT ?",
      after,
      limit,
    ).map((row) => ({ number: numberOf(row["number"]), name: textOf(row["name"]) }));
  }

  hasAccount(name: string): boolean {
    return this.get("SELECT 1 FROM accounts WHERE name = ?", name) !== undefined;
  }

  accountsWithoutFolders(first: number, last: number): KnownAccount[] {
    return this.all(
      `SELECT number, name FROM accounts a WHERE number BETWEEN ? AND ?
         AND NOT EXISTS (SELECT 1 FROM folders f WHERE f.account = a.number)`,
      first,
      last,
    ).map((row) => ({ number: numberOf(row["number"]), name: textOf(row["name"]) }));
  }

  /** The directories of the account's folders below its Maildir. */
  directories(account: string): string[] {
    return this.all(
      `SELECT f.directory FROM folders f JOIN accounts a ON a.number = f.account WHERE a.name = ?`,
      account,
    ).map((row) => textOf(row["directory"]));
  }

  /** The folders of the accounts with these numbers. */
  folders(first: number, last: number): KnownFolder[] {
    return this.all(
      `SELECT f.*, a.name AS account_name FROM folders f JOIN accounts a ON a.number = f.account
         WHERE f.account BETWEEN ? AND ? ORDER BY f.account, f.directory`,
      first,
      last,
    ).map(folderOf);
  }

  foldersOf(account: string): KnownFolder[] {
    return this.all(
      `SELECT f.*, a.name AS account_name FROM folders f JOIN accounts a ON a.number = f.account
         WHERE a.name = ? ORDER BY f.directory`,
      account,
    ).map(folderOf);
  }

  folder(number: number): KnownFolder | undefined {
    const row = this.get(
      `SELECT f.*, a.name AS account_name FROM folders f JOIN accounts a ON a.number = f.account
         WHERE f.number = ?`,
      number,
    );
    return row && folderOf(row);
  }

  /** The files of a folder by the hashes of their names, in pages. */
  namesOf(folder: number, after: { hash: number; id: number }, limit: number): NamedRow[] {
    return this.all(
      `SELECT n.hash, n.id, m.unique_name, m.place FROM names n JOIN messages m ON m.id = n.id
         WHERE n.folder = ? AND (n.hash, n.id) > (?, ?) ORDER BY n.hash, n.id LIMIT ?`,
      folder,
      after.hash,
      after.id,
      limit,
    ).map((row) => ({
      hash: numberOf(row["hash"]),
      id: numberOf(row["id"]),
      file: placeOf(textOf(row["unique_name"]), row["place"]),
    }));
  }

  knownIn(folder: number, name: string): KnownFile | undefined {
    return knownFile(this, folder, name);
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

  /** The number of files that were found and are not indexed yet. */
  get waiting(): number {
    return numberOf(this.get("SELECT count(*) AS files FROM pending")?.["files"]);
  }

  /** The end of the last whole walk, ms since the epoch, to some minutes; undefined before the first. */
  get walkedAt(): number | undefined {
    const at = this.get("SELECT value FROM meta WHERE name = 'walked'")?.["value"];
    return typeof at === "number" ? at : undefined;
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
      // Searches bring ever new statements.
      if (this.#statements.size >= STATEMENTS) this.#statements.clear();
      statement = this.#connection.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

function folderOf(row: Row): KnownFolder {
  const { new_seen: fresh, cur_seen: read } = row;
  return {
    number: numberOf(row["number"]),
    account: textOf(row["account_name"]),
    directory: textOf(row["directory"]),
    messages: numberOf(row["messages"]),
    fresh: numberOf(row["fresh"]),
    seen: {
      new: typeof fresh === "number" ? fresh : undefined,
      cur: typeof read === "number" ? read : undefined,
    },
  };
}
