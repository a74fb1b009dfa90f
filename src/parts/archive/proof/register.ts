// What the manifest says of each file, in a temporary database: a million files take about 100 MB of disk and little
// memory. Texts stay in the manifest; the register knows where.
//
// Invariant: the first hash that the manifest has for a file counts. A later line with another hash does not make a
// changed file right, unless the file has gone meanwhile or the change was accepted.

import { hash } from "node:crypto";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { numberOf, textOf } from "../../../base/durable/columns.ts";
import type { LinePlace } from "../chain/reader.ts";
import { type ManifestEntry, nameOfPlace, type Origin } from "../chain/manifest.ts";

export interface RegisteredFile {
  readonly number: number;
  /** In hexadecimal. */
  readonly sha256: string;
  readonly origin: Origin;
  /** Stands for account, unique name and hash, in any folder. */
  readonly content: Buffer;
  /** Where the manifest has its latest line. */
  readonly at: Pick<LinePlace, "day" | "offset">;
  /** It is being deleted. */
  readonly isGoing: boolean;
  /** The postmaster knows that it is missing. */
  readonly isExcused: boolean;
}

export interface FileNames {
  readonly account: string;
  readonly folder: string;
  readonly place: string;
}

/** A file that the manifest does not know. */
export interface Stray {
  readonly path: string;
  readonly modifiedAt: number;
}

const TABLES = `
  CREATE TABLE lines (
    number INTEGER PRIMARY KEY, key BLOB NOT NULL, content BLOB, sha256 BLOB, kind INTEGER NOT NULL,
    day TEXT NOT NULL, offset INTEGER NOT NULL);
  CREATE TABLE strays (key BLOB PRIMARY KEY, content BLOB, path TEXT NOT NULL, modified_at REAL) WITHOUT ROWID;
`;

/** What a line says of its file. Lines of the first kinds bring it into the archive. */
const KINDS = ["relay", "walk", "import", "accepted", "excused", "going", "gone"] as const;

type Kind = (typeof KINDS)[number];

export class Register implements Disposable {
  /** A file without a name: SQLite removes it when the connection is closed, or the process dies. */
  readonly #database = new DatabaseSync("");
  readonly #statements = new Map<string, StatementSync>();
  /** A bit for each number of a file: whether its file was seen. */
  #seen = new Uint8Array(1024);

  constructor() {
    this.#database.exec(
      "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16000",
    );
    this.#database.exec(TABLES);
  }

  /** Notes entries of the manifest, in their order. */
  note(entries: readonly (readonly [ManifestEntry, LinePlace])[]): void {
    this.#database.exec("BEGIN");
    for (const [entry, at] of entries) this.#note(entry, at);
    this.#database.exec("COMMIT");
  }

  /** Prepares the questions that follow. Called when the manifest has been read, and again before what is left. */
  arrange(what: "keys" | "contents"): void {
    if (what === "keys") this.#database.exec("CREATE INDEX keys ON lines (key)");
    else this.#database.exec("CREATE INDEX contents ON lines (content) WHERE content IS NOT NULL");
  }

  /** The file, if it should be there. */
  find(names: FileNames): RegisteredFile | undefined {
    return this.#fileOf(fileKey(names));
  }

  isSeen({ number }: Pick<RegisteredFile, "number">): boolean {
    return ((this.#seen[number >> 3] ?? 0) & (1 << (number & 7))) !== 0;
  }

  see({ number }: Pick<RegisteredFile, "number">): void {
    const at = number >> 3;
    if (at >= this.#seen.length) {
      const larger = new Uint8Array(Math.max(at + 1, this.#seen.length * 2));
      larger.set(this.#seen);
      this.#seen = larger;
    }
    this.#seen[at] = (this.#seen[at] ?? 0) | (1 << (number & 7));
  }

  /** Notes a file that the manifest does not know. No hash: the file could not be read. */
  addStray(names: FileNames, stray: Stray, sha256: string | undefined): void {
    const content = sha256 === undefined ? null : contentKey(names, sha256);
    this.#prepared("INSERT OR REPLACE INTO strays VALUES (?, ?, ?, ?)").run(
      fileKey(names),
      content,
      stray.path,
      stray.modifiedAt,
    );
  }

  hasStray(names: FileNames): boolean {
    return this.#prepared("SELECT 1 FROM strays WHERE key = ?").get(fileKey(names)) !== undefined;
  }

  get hasUnseen(): boolean {
    return this.unseen().next().done !== true;
  }

  /** The files that should be there and were not seen. */
  *unseen(): Generator<RegisteredFile, void, undefined> {
    const keys = this.#database.prepare(
      "SELECT min(number) AS number, key FROM lines GROUP BY key",
    );
    for (const { number, key } of keys.iterate()) {
      if (this.isSeen({ number: numberOf(number) })) continue;
      const file = this.#fileOf(blob(key));
      if (file !== undefined) yield file;
    }
  }

  /** Whether the file of this account, name and hash was seen in another folder, or has gone from there. */
  isElsewhere({ content }: RegisteredFile): boolean {
    const stray = this.#prepared("SELECT 1 FROM strays WHERE content = ? LIMIT 1");
    if (stray.get(content) !== undefined) return true;
    return this.#keysOf(content).some((key) => {
      const file = this.#fileOf(key);
      return file === undefined || this.isSeen(file);
    });
  }

  /** The files that the manifest does not know; `isMoved`: it knows account, name and hash in another folder. */
  *strays(): Generator<Stray & { readonly isMoved: boolean }, void, undefined> {
    const rows = this.#database.prepare("SELECT * FROM strays");
    for (const { key, content, path, modified_at: modifiedAt } of rows.iterate()) {
      // The manifest may have heard of it meanwhile.
      if (this.#fileOf(blob(key)) !== undefined) continue;
      const isMoved = content !== null && this.#sameContent(blob(content)).length > 0;
      yield { path: textOf(path), modifiedAt: numberOf(modifiedAt), isMoved };
    }
  }

  [Symbol.dispose](): void {
    this.#statements.clear();
    this.#database.close();
  }

  #note(entry: ManifestEntry, at: LinePlace): void {
    switch (entry.word) {
      case "file":
        return this.#add(entry, entry.sha256, entry.origin, at);
      case "accepted":
        return this.#add(
          entry,
          entry.sha256,
          entry.sha256 === undefined ? "excused" : "accepted",
          at,
        );
      case "going":
      case "gone":
        return this.#add({ ...entry, place: entry.name }, undefined, entry.word, at);
      case "accepted-break":
    }
  }

  #add(names: FileNames, sha256: string | undefined, kind: Kind, { day, offset }: LinePlace): void {
    const content = sha256 === undefined ? null : contentKey(names, sha256);
    const octets = sha256 === undefined ? null : Buffer.from(sha256, "hex");
    this.#prepared("INSERT INTO lines VALUES (NULL, ?, ?, ?, ?, ?, ?)").run(
      fileKey(names),
      content,
      octets,
      KINDS.indexOf(kind),
      day,
      offset,
    );
  }

  /** The files that should be there with this account, name and hash. */
  #sameContent(content: Buffer): RegisteredFile[] {
    const files = this.#keysOf(content).map((key) => this.#fileOf(key));
    return files
      .filter((file) => file !== undefined)
      .filter((file) => file.content.equals(content));
  }

  #keysOf(content: Buffer): Buffer[] {
    const rows = this.#prepared("SELECT DISTINCT key FROM lines WHERE content = ?").all(content);
    return rows.map(({ key }) => blob(key));
  }

  #fileOf(key: Buffer): RegisteredFile | undefined {
    const rows = this.#prepared("SELECT * FROM lines WHERE key = ? ORDER BY number").all(key);
    const first = rows[0];
    if (first === undefined) return undefined;
    const lines = rows.map(lineOf);
    const state = stateOf(lines);
    return state && { ...state, number: numberOf(first["number"]) };
  }

  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

function lineOf(row: Readonly<Record<string, unknown>>) {
  const { content, sha256 } = row;
  return {
    kind: KINDS[numberOf(row["kind"])] ?? "walk",
    content: content === null ? Buffer.alloc(0) : blob(content),
    sha256: sha256 === null ? "" : blob(sha256).toString("hex"),
    at: { day: textOf(row["day"]), offset: numberOf(row["offset"]) },
  };
}

/** What the lines of one file say in the end; undefined if it should not be there. */
function stateOf(
  lines: readonly ReturnType<typeof lineOf>[],
): Omit<RegisteredFile, "number"> | undefined {
  let file: Omit<RegisteredFile, "number" | "isExcused"> | undefined;
  let isExcused = false;
  for (const { kind, content, sha256, at } of lines) {
    switch (kind) {
      case "gone":
        file = undefined;
        break;
      case "excused":
        isExcused = true;
        break;
      case "going":
        if (file !== undefined) file = { ...file, isGoing: true };
        break;
      case "relay":
      case "walk":
      case "import":
      case "accepted": {
        const counts =
          file === undefined || isExcused || kind === "accepted" || file.sha256 === sha256;
        if (!counts) break;
        file = { origin: kind === "accepted" ? "walk" : kind, sha256, content, at, isGoing: false };
        isExcused = false;
      }
    }
  }
  return file && { ...file, isExcused };
}

function blob(value: unknown): Buffer {
  if (!(value instanceof Uint8Array)) throw new TypeError("not a hash in the register");
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

/** Stands for account, folder and unique name. */
function fileKey({ account, folder, place }: FileNames): Buffer {
  return shortHash(`${account}\0${folder}\0${nameOfPlace(place)}`);
}

function contentKey({ account, place }: FileNames, sha256: string): Buffer {
  return shortHash(`${account}\0${nameOfPlace(place)}\0${sha256}`);
}

function shortHash(text: string): Buffer {
  return hash("sha256", text, "buffer").subarray(0, 16);
}
