// The full text of messages, in shelves: tables of FTS5 with at most 20 000 messages each, filled one after the other.
//
// A shelf keeps the work for one write small: only the segments of the open shelf are merged, in steps of some pages. A
// full shelf is merged into one segment, once. A shelf that is empty again is dropped as a whole.
//
// Invariant: a message is in the shelf that its row names, and its id is between the ends of that shelf.

import type { Database } from "../../../base/durable/database.ts";
import { numberOf, type Row } from "../../../base/durable/columns.ts";
import { TOKENIZER } from "../search/tokens.ts";

const SHELF_MAX = 20_000;

/** Segments of one level that are merged into one of the next: `usermerge`. */
const MERGED_AT_ONCE = 8;

/** Options of each table of FTS5. */
const OPTIONS = [
  ["automerge", 0],
  ["crisismerge", 1000],
  ["usermerge", MERGED_AT_ONCE],
] as const;

/** Pages that one step of merging writes: some milliseconds. */
const STEP_PAGES = 200;

/** A shelf is written again, without the words of removed messages, when this share of its messages is removed. */
const REMOVED_SHARE = 0.1;

const COLUMNS = '"subject", "from", "to", "body", "attachment", "filename", "terms"';

/** The words of a message, by the columns of the full text. */
export interface ShelfText {
  readonly subject: string;
  readonly from: string;
  readonly to: string;
  readonly body: string;
  readonly attachment: string;
  readonly filename: string;
  readonly terms: string;
}

/** "filling": takes messages. "full": is merged into one segment. "done": nothing is to be done. */
type ShelfState = "filling" | "full" | "done";

interface Shelf {
  readonly number: number;
  least: number;
  greatest: number;
  messages: number;
  removed: number;
  state: ShelfState;
}

/** The table of a shelf. */
function shelfTable(number: number): string {
  return `text_${number}`;
}

export class Shelves {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Called in a transaction. Returns the number of the shelf that holds the text now. */
  add(id: number, text: ShelfText): number {
    const shelf = this.#filling() ?? this.#create(id);
    const { subject, from, to, body, attachment, filename, terms } = text;
    this.#database.run(
      `INSERT INTO ${shelfTable(shelf.number)} (rowid, ${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      id,
      subject,
      from,
      to,
      body,
      attachment,
      filename,
      terms,
    );
    this.#database.run(
      "UPDATE shelves SET least = min(least, ?), greatest = max(greatest, ?), messages = messages + 1, state = ? WHERE number = ?",
      id,
      id,
      shelf.messages + 1 >= SHELF_MAX ? "full" : "filling",
      shelf.number,
    );
    return shelf.number;
  }

  /** Called in a transaction. */
  remove(number: number, id: number): void {
    const table = shelfTable(number);
    this.#database.run(`DELETE FROM ${table} WHERE rowid = ?`, id);
    this.#database.run(
      "UPDATE shelves SET messages = messages - 1, removed = removed + 1 WHERE number = ?",
      number,
    );
    const shelf = this.#shelf("number = ?", number);
    if (shelf?.messages !== 0 || shelf.state === "filling") return;
    this.#database.exec(`DROP TABLE ${table}`);
    this.#database.run("DELETE FROM shelves WHERE number = ?", number);
  }

  /**
   * One step of merging, of some milliseconds. Returns whether there may be another. `isThorough`: the words of removed
   * messages are taken out of all shelves, also where there are few.
   */
  tidy(isThorough = false): boolean {
    return this.#database.atomically(
      () => this.#tidyFull(isThorough) || this.#tidyFilling(isThorough),
    );
  }

  #tidyFull(isThorough: boolean): boolean {
    const least = isThorough ? 0 : REMOVED_SHARE;
    const shelf =
      this.#shelf("state = 'full'") ??
      this.#shelf("state = 'done' AND removed > (messages + removed) * ?", least);
    if (shelf === undefined) return false;
    if (shelf.state === "done") {
      this.#database.run("UPDATE shelves SET state = 'full' WHERE number = ?", shelf.number);
    }
    if (this.#merge(shelf.number, -STEP_PAGES)) return true;
    this.#database.run(
      "UPDATE shelves SET state = 'done', removed = 0 WHERE number = ?",
      shelf.number,
    );
    return true;
  }

  #tidyFilling(isThorough: boolean): boolean {
    const shelf = this.#filling();
    if (shelf === undefined) return false;
    if (!isThorough || shelf.removed === 0) return this.#merge(shelf.number, STEP_PAGES);
    if (this.#merge(shelf.number, -STEP_PAGES)) return true;
    this.#database.run("UPDATE shelves SET removed = 0 WHERE number = ?", shelf.number);
    return true;
  }

  /** Negative `pages`: towards a single segment. False if there was nothing to merge. */
  #merge(number: number, pages: number): boolean {
    const table = shelfTable(number);
    const before = this.#changes();
    this.#database.run(`INSERT INTO ${table} (${table}, rank) VALUES ('merge', ?)`, pages);
    // The command itself is one change; FTS5 documents that fewer than two mean that it had nothing to do.
    return this.#changes() - before >= 2;
  }

  #changes(): number {
    return numberOf(this.#database.get("SELECT total_changes() AS changes")?.["changes"]);
  }

  #filling(): Shelf | undefined {
    return this.#shelf("state = 'filling'");
  }

  #shelf(where: string, ...values: number[]): Shelf | undefined {
    const row = this.#database.get(
      `SELECT * FROM shelves WHERE ${where} ORDER BY number LIMIT 1`,
      ...values,
    );
    return row && shelfOf(row);
  }

  #create(id: number): Shelf {
    const last = this.#database.get("SELECT max(number) AS last FROM shelves")?.["last"];
    const number = typeof last === "number" ? last + 1 : 1;
    const table = shelfTable(number);
    this.#database.exec(
      `CREATE VIRTUAL TABLE ${table} USING fts5(${COLUMNS}, content='', contentless_delete=1, tokenize="${TOKENIZER}")`,
    );
    // A merge that runs by itself within a write could take seconds: merging is left to `tidy`.
    for (const [option, value] of OPTIONS) {
      this.#database.exec(`INSERT INTO ${table} (${table}, rank) VALUES ('${option}', ${value})`);
    }
    this.#database.run(
      "INSERT INTO shelves (number, least, greatest, messages, state) VALUES (?, ?, ?, 0, 'filling')",
      number,
      id,
      id,
    );
    return { number, least: id, greatest: id, messages: 0, removed: 0, state: "filling" };
  }
}

function shelfOf(row: Row): Shelf {
  const state = row["state"];
  return {
    number: numberOf(row["number"]),
    least: numberOf(row["least"]),
    greatest: numberOf(row["greatest"]),
    messages: numberOf(row["messages"]),
    removed: numberOf(row["removed"]),
    state: state === "filling" || state === "full" ? state : "done",
  };
}
