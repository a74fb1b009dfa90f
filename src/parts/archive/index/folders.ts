// The accounts and folders of the index, by number, with the count and the octets of their messages.

import type { Database } from "../../../base/durable/database.ts";
import { numberOf } from "../../../base/durable/columns.ts";
import { folderNameOf } from "../model/folder-name.ts";

const REMEMBERED_MAX = 10_000;

export interface FolderNumbers {
  readonly account: number;
  readonly folder: number;
}

interface FolderCounts {
  readonly messages: number;
  /** Those of the messages that lie in new/. */
  readonly fresh: number;
  readonly bytes: number;
}

export class Folders {
  readonly #database: Database;
  readonly #known = new Map<string, FolderNumbers>();

  constructor(database: Database) {
    this.#database = database;
  }

  /** The numbers of a folder, if it is in the index. */
  find(account: string, directory: string): FolderNumbers | undefined {
    const key = `${account}/${directory}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const row = this.#database.get(
      `SELECT f.account, f.number FROM folders f JOIN accounts a ON a.number = f.account
         WHERE a.name = ? AND f.directory = ?`,
      account,
      directory,
    );
    if (row === undefined) return undefined;
    const numbers = { account: numberOf(row["account"]), folder: numberOf(row["number"]) };
    if (this.#known.size >= REMEMBERED_MAX) this.#known.clear();
    this.#known.set(key, numbers);
    return numbers;
  }

  /** Adds the folder and its account to the index if they are missing. Called in a transaction. */
  ensure(account: string, directory: string): FolderNumbers {
    const known = this.find(account, directory);
    if (known !== undefined) return known;
    this.ensureAccount(account);
    this.#database.run(
      `INSERT INTO folders (account, directory, name)
         VALUES ((SELECT number FROM accounts WHERE name = ?), ?, ?)`,
      account,
      directory,
      folderNameOf(directory),
    );
    const added = this.find(account, directory);
    if (added === undefined) throw new Error(`the folder ${directory} of ${account} is missing`);
    return added;
  }

  /** Adds to the counts of a folder. Called in a transaction. */
  count(folder: number, { messages, fresh, bytes }: FolderCounts): void {
    this.#database.run(
      `UPDATE folders SET messages = messages + ?, fresh = fresh + ?, bytes = bytes + ?
         WHERE number = ?`,
      messages,
      fresh,
      bytes,
      folder,
    );
  }

  /** Called in a transaction. */
  ensureAccount(account: string): void {
    this.#database.run("INSERT OR IGNORE INTO accounts (name) VALUES (?)", account);
  }

  /** Removes a folder without messages. Called in a transaction. */
  remove(folder: number): void {
    this.#known.clear();
    this.#database.run("DELETE FROM pending WHERE folder = ?", folder);
    this.#database.run("DELETE FROM folders WHERE number = ? AND messages = 0", folder);
  }

  /** Removes an account without folders. Called in a transaction. */
  removeAccount(account: number): void {
    this.#database.run(
      "DELETE FROM accounts WHERE number = ? AND number NOT IN (SELECT account FROM folders)",
      account,
    );
  }

  /** Call it when a transaction was undone: the numbers may mean nothing any more. */
  forget(): void {
    this.#known.clear();
  }
}
