// An index of a few messages in memory, with the tables that a search reads, in several shelves.

import { DatabaseSync } from "node:sqlite";
import { idAt } from "../../../../src/parts/archive/model/ids.ts";
import type { IndexReader } from "../../../../src/parts/archive/search/find.ts";
import {
  indexText,
  markTerm,
  sizeTerm,
  TOKENIZER,
} from "../../../../src/parts/archive/search/tokens.ts";

export interface SmallMessage {
  readonly id: number;
  readonly deliveredAt: number;
  readonly shelf: number;
  readonly account: string;
  readonly folder: string;
  readonly date: number | undefined;
  readonly size: number;
  readonly messageId: string;
  readonly subject: string;
  readonly from: string;
  readonly to: string;
  readonly body: string;
  readonly attachment: string;
  readonly filename: string;
  readonly hasAttachment: boolean;
}

const UNIT = 125;

export class SmallIndex implements IndexReader {
  /** Statements that were run. */
  readonly log: string[] = [];
  readonly #database = new DatabaseSync(":memory:");

  constructor(messages: readonly SmallMessage[]) {
    this.#database.exec(`
      CREATE TABLE shelves(number INTEGER PRIMARY KEY, least INTEGER, greatest INTEGER);
      CREATE TABLE messages(id INTEGER PRIMARY KEY, shelf INTEGER, shift INTEGER, date INTEGER,
        size INTEGER, message_id TEXT);
      CREATE TABLE accounts(number INTEGER PRIMARY KEY, name TEXT UNIQUE);
      CREATE TABLE meta(name TEXT PRIMARY KEY, value);
      BEGIN`);
    const shifts = messages.map(({ id, deliveredAt }) => deliveredAt - id * UNIT);
    this.#run("INSERT INTO meta VALUES ('most_shift', ?)", Math.max(0, ...shifts.map(Math.abs)));
    for (const message of messages) this.#add(message);
    this.#database.exec("COMMIT");
  }

  #run(sql: string, ...values: readonly (string | number | null)[]) {
    this.#database.prepare(sql).run(...values);
  }

  #add(message: SmallMessage) {
    const { id, shelf, date, size } = message;
    const text = `text_${shelf}`;
    this.#run(`CREATE VIRTUAL TABLE IF NOT EXISTS ${text} USING fts5(subject, "from", "to", body,
      attachment, filename, terms, content='', contentless_delete=1, tokenize="${TOKENIZER}")`);
    this.#run("INSERT OR IGNORE INTO accounts(name) VALUES (?)", message.account);
    this.#run(
      `INSERT INTO shelves VALUES (?, ?, ?) ON CONFLICT DO UPDATE
       SET least = min(least, excluded.least), greatest = max(greatest, excluded.greatest)`,
      shelf,
      id,
      id,
    );
    this.#run(
      "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?)",
      id,
      shelf,
      message.deliveredAt - id * UNIT,
      date ?? null,
      size,
      message.messageId,
    );
    const terms = [
      markTerm("account", message.account.toLowerCase()),
      markTerm("folder", message.folder.toLowerCase()),
      markTerm("id", message.messageId),
      sizeTerm(size),
      ...(message.hasAttachment ? [markTerm("attachment", "")] : []),
    ];
    this.#run(
      `INSERT INTO ${text}(rowid, subject, "from", "to", body, attachment, filename, terms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      id,
      indexText(message.subject),
      indexText(message.from),
      indexText(message.to),
      indexText(message.body),
      indexText(message.attachment),
      indexText(message.filename),
      terms.join(" "),
    );
  }

  all(sql: string, ...values: readonly (string | number)[]) {
    this.log.push(sql);
    return this.#database.prepare(sql).all(...values);
  }
}

/** The id of a message, as the index gives it: the next one that is free. */
export function freeId(taken: Set<number>, deliveredAt: number): number {
  let id = idAt(deliveredAt);
  while (taken.has(id)) id++;
  taken.add(id);
  return id;
}
