// state/retention.sqlite: holds and what they have covered, deletions that are under way, and what went by the water
// mark. It cannot be made again, so every change is on disk when its call returns.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { numberOf, type Row, textOf } from "../../../base/durable/columns.ts";
import { Database } from "../../../base/durable/database.ts";
import type { ArchivedMessage } from "../model/message.ts";
import { type Amount, NOTHING } from "./plan.ts";

export interface StoredHold {
  readonly number: number;
  readonly name: string;
  readonly query: string;
  /** JSON. */
  readonly condition: string;
  readonly why: string;
  readonly by: string;
  /** ms since the epoch. */
  readonly since: number;
}

/** A deletion that has been begun. */
export interface Going extends Pick<
  ArchivedMessage,
  "id" | "account" | "folder" | "name" | "sha256"
> {
  readonly rule: string;
}

const TABLES = `
  CREATE TABLE IF NOT EXISTS holds (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, query TEXT NOT NULL,
    condition TEXT NOT NULL, why TEXT NOT NULL, by TEXT NOT NULL, since INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS covered (
    hash BLOB, hold INTEGER, PRIMARY KEY (hash, hold)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS going (
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, folder TEXT NOT NULL, name TEXT NOT NULL,
    sha256 TEXT NOT NULL, rule TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS spent (at INTEGER NOT NULL, octets INTEGER NOT NULL, inodes INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS noted (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
`;

export class RetentionStore implements Disposable {
  readonly #database: Database;

  /** `state` must exist. Throws the error of SQLite. */
  constructor(state: string) {
    this.#database = new Database(fileIn(state));
    this.#database.exec(TABLES);
  }

  holds(): StoredHold[] {
    return this.#database.all("SELECT * FROM holds ORDER BY number").map(holdOf);
  }

  /** False if there is a hold with this name. */
  addHold(hold: Omit<StoredHold, "number">): boolean {
    const { name, query, condition, why, by, since } = hold;
    return this.#database.atomically(() => {
      if (this.#database.get("SELECT 1 FROM holds WHERE name = ?", name) !== undefined)
        return false;
      this.#database.run(
        "INSERT INTO holds (name, query, condition, why, by, since) VALUES (?, ?, ?, ?, ?, ?)",
        name,
        query,
        condition,
        why,
        by,
        since,
      );
      return true;
    });
  }

  /** Forgets the hold and what it has covered. False if there is none. */
  removeHold(name: string): boolean {
    return this.#database.atomically(() => {
      const hold = this.#database.get("SELECT number FROM holds WHERE name = ?", name);
      if (hold === undefined) return false;
      const number = numberOf(hold["number"]);
      this.#database.run("DELETE FROM covered WHERE hold = ?", number);
      this.#database.run("DELETE FROM holds WHERE number = ?", number);
      return true;
    });
  }

  /** Messages that the hold covers until its release, by their SHA-256. */
  cover(
    hold: Pick<StoredHold, "number">,
    messages: readonly Pick<ArchivedMessage, "sha256">[],
  ): void {
    const fresh = messages.filter(({ sha256 }) => !this.#isCoveredBy(sha256, hold));
    if (fresh.length === 0) return;
    this.#database.atomically(() => {
      for (const { sha256 } of fresh) {
        this.#database.run(
          "INSERT OR IGNORE INTO covered VALUES (?, ?)",
          hashOf(sha256),
          hold.number,
        );
      }
    });
  }

  isCovered(sha256: string): boolean {
    return this.#database.get("SELECT 1 FROM covered WHERE hash = ?", hashOf(sha256)) !== undefined;
  }

  /** The number of different contents that the hold covers. */
  coveredBy({ number }: Pick<StoredHold, "number">): number {
    return numberOf(
      this.#database.get("SELECT count(*) AS n FROM covered WHERE hold = ?", number)?.["n"],
    );
  }

  /** Deletions that a process has begun and not finished. */
  going(): Going[] {
    return this.#database.all("SELECT * FROM going ORDER BY id").map(goingOf);
  }

  /** `spent`: what they free by the water mark, at `now`. */
  begin(going: readonly Going[], spent: Amount, now: number): void {
    this.#database.atomically(() => {
      for (const { id, account, folder, name, sha256, rule } of going) {
        this.#database.run(
          "INSERT OR REPLACE INTO going VALUES (?, ?, ?, ?, ?, ?)",
          id,
          account,
          folder,
          name,
          sha256,
          rule,
        );
      }
      const { octets, inodes } = spent;
      if (octets > 0 || inodes > 0) {
        this.#database.run("INSERT INTO spent VALUES (?, ?, ?)", now, octets, inodes);
      }
    });
  }

  finish(going: readonly Pick<Going, "id">[]): void {
    this.#database.atomically(() => {
      for (const { id } of going) this.#database.run("DELETE FROM going WHERE id = ?", id);
    });
  }

  /**
   * What has gone by the water mark in the `period` before `now`. An entry from the future, of a clock that was set back
   * since, counts from now on.
   */
  spent(now: number, period: number): Amount {
    return this.#database.atomically(() => {
      this.#database.run("UPDATE spent SET at = ? WHERE at > ?", now, now);
      this.#database.run("DELETE FROM spent WHERE at <= ?", now - period);
      const sums = this.#database.get(
        "SELECT total(octets) AS octets, total(inodes) AS inodes FROM spent",
      );
      return sums === undefined
        ? NOTHING
        : { octets: numberOf(sums["octets"]), inodes: numberOf(sums["inodes"]) };
    });
  }

  /** When retention ran last, in ms since the epoch. */
  get ranAt(): number | undefined {
    return this.#noted("ran");
  }

  noteRun(at: number): void {
    this.#note({ ran: at });
  }

  noteVerified(at: number, faults: number): void {
    this.#note({ verified: at, faults });
  }

  #note(numbers: Readonly<Record<string, number>>): void {
    this.#database.atomically(() => {
      for (const [name, value] of Object.entries(numbers)) {
        this.#database.run("INSERT OR REPLACE INTO noted VALUES (?, ?)", name, value);
      }
    });
  }

  #noted(name: string): number | undefined {
    const row = this.#database.get("SELECT value FROM noted WHERE name = ?", name);
    return row && numberOf(row["value"]);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #isCoveredBy(sha256: string, { number }: Pick<StoredHold, "number">): boolean {
    const sql = "SELECT 1 FROM covered WHERE hash = ? AND hold = ?";
    return this.#database.get(sql, hashOf(sha256), number) !== undefined;
  }
}

/** What `archive status` says of the file. */
export interface StoreSummary {
  readonly holds: number;
  /** The last verification of the whole archive, in ms since the epoch, and its faults; undefined before the first. */
  readonly verified: number | undefined;
  readonly faults: number | undefined;
}

/** Reads the file beside a process that writes, and changes nothing. Throws the error of SQLite. */
export function storeSummary(state: string): StoreSummary {
  const nothing = { holds: 0, verified: undefined, faults: undefined };
  if (!existsSync(fileIn(state))) return nothing;
  const database = new DatabaseSync(fileIn(state), { readOnly: true, timeout: 10_000 });
  try {
    const holds = database.prepare("SELECT count(*) AS n FROM holds").get()?.["n"];
    const rows = database.prepare("SELECT name, value FROM noted").all();
    const noted = new Map(rows.map(({ name, value }) => [textOf(name), numberOf(value)]));
    return { holds: numberOf(holds), verified: noted.get("verified"), faults: noted.get("faults") };
  } finally {
    database.close();
  }
}

function fileIn(state: string): string {
  return join(state, "retention.sqlite");
}

/** The first 128 bits of a SHA-256. */
function hashOf(sha256: string): Uint8Array {
  return Buffer.from(sha256.slice(0, 32), "hex");
}

function holdOf(row: Row): StoredHold {
  return {
    number: numberOf(row["number"]),
    name: textOf(row["name"]),
    query: textOf(row["query"]),
    condition: textOf(row["condition"]),
    why: textOf(row["why"]),
    by: textOf(row["by"]),
    since: numberOf(row["since"]),
  };
}

function goingOf(row: Row): Going {
  return {
    id: numberOf(row["id"]),
    account: textOf(row["account"]),
    folder: textOf(row["folder"]),
    name: textOf(row["name"]),
    sha256: textOf(row["sha256"]),
    rule: textOf(row["rule"]),
  };
}
