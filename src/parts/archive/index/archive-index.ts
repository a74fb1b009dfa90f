// The index of the archive, for everything that asks it: search, retention, proof, export.
//
// Invariant: its calls take some milliseconds each in this thread, however large the archive is; longer work is done in
// steps. An index that is damaged, missing or too new says so, and can be made again from the Maildirs.

import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../../base/clock.ts";
import { accountDirectory, maildirFile, maildirPath, PARTS } from "../model/maildir-place.ts";
import type { ArchivedMessage } from "../model/message.ts";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import { isDamage } from "../../../base/durable/database.ts";
import type { Condition } from "../search/condition.ts";
import { findIds } from "../search/find.ts";
import { currentIndex, indexOctets, ownIndex } from "./index-files.ts";
import { type IndexedContent, type IndexedFile, IndexReader, type Totals } from "./index-reader.ts";
import { IndexWriter } from "./index-writer.ts";
import { Looks } from "./looks.ts";
import { NewerIndex } from "./schema.ts";

/** Rows that are removed in one transaction. */
const REMOVED_AT_ONCE = 200;
const CONTENTS_AT_ONCE = 1000;

/** The flags that most files in cur/ have. */
const USUAL_SUFFIXES = ["", ":2,", ":2,S", ":2,RS", ":2,FS", ":2,FRS", ":2,ST"];

/** Both sides of one file of the index. */
export interface OpenIndex {
  readonly file: string;
  readonly reader: IndexReader;
  /** Absent if this process only reads. */
  readonly writer?: IndexWriter;
}

export interface IndexSettings {
  /** The Maildirs. */
  readonly directory: string;
  readonly state: string;
}

export class ArchiveIndex {
  readonly #settings: IndexSettings;
  readonly #looks: Looks;
  #open: OpenIndex | undefined;
  /** Why there is no index to ask. */
  #fault: CommandError | undefined;

  private constructor(settings: IndexSettings, clock: Clock) {
    this.#settings = settings;
    this.#looks = new Looks(clock);
  }

  /** Opens the index beside a process that may be writing. A missing index is an error only when it is asked. */
  static forReading(settings: IndexSettings, clock: Clock): ArchiveIndex {
    const index = new ArchiveIndex(settings, clock);
    const file = currentIndex(settings.state);
    if (file === undefined) {
      index.#fault = unavailable(`there is no index in ${settings.state} yet`);
    } else index.#openWith(() => ({ file, reader: new IndexReader(file) }));
    return index;
  }

  /** Opens the index for writing, or creates it. The caller holds the lock on `state`. */
  static forWriting(settings: IndexSettings, clock: Clock): ArchiveIndex {
    const index = new ArchiveIndex(settings, clock);
    const file = ownIndex(settings.state);
    index.#openWith(() => openForWriting(file));
    return index;
  }

  /** Throws CommandError (69) if there is no index that can be asked. */
  get open(): OpenIndex {
    if (this.#open !== undefined) return this.#open;
    throw this.#fault ?? unavailable("the index is closed");
  }

  get settings(): IndexSettings {
    return this.#settings;
  }

  get looks(): Looks {
    return this.#looks;
  }

  /** Why there is no index to ask; undefined if there is one. */
  get fault(): string | undefined {
    return this.#fault?.message;
  }

  /** From now on this index serves. The one before is closed. */
  replace(open: OpenIndex): void {
    this.#close();
    this.#open = open;
    this.#fault = undefined;
  }

  async message(id: number): Promise<ArchivedMessage | undefined> {
    return this.#read((reader) => reader.message(id));
  }

  /** The messages with these ids that exist, in the order of the ids. */
  async messages(ids: readonly number[]): Promise<ArchivedMessage[]> {
    return this.#read((reader) => reader.messages(ids));
  }

  /** The newest messages that match, newest first. Rejects with the reason of the signal. */
  async find(
    condition: Condition,
    page: Parameters<typeof findIds>[2],
  ): Promise<ArchivedMessage[]> {
    try {
      const ids = await findIds(this.open.reader, condition, page);
      return this.#read((reader) => reader.messages(ids));
    } catch (error) {
      if (this.noteDamage(error)) throw this.#fault;
      throw error;
    }
  }

  /** The messages after this id, the oldest first. */
  async oldestFirst(after: number, limit: number): Promise<ArchivedMessage[]> {
    return this.#read((reader) => reader.oldestFirst(after, limit));
  }

  /** The contents of all messages of the account. */
  async *contentsOf(account: string): AsyncGenerator<IndexedContent, void> {
    let after: Parameters<IndexReader["contents"]>[1];
    do {
      const page = this.#read((reader) => reader.contents(account, after, CONTENTS_AT_ONCE));
      yield* page.contents;
      after = page.last;
      await nextTurn();
    } while (after !== undefined);
  }

  /** Octets of all files of the index, its write-ahead log included. */
  get octets(): number {
    return indexOctets(this.#settings.state);
  }

  async totals(): Promise<Totals> {
    return this.#read((reader) => reader.totals());
  }

  /**
   * The path of a message's file. A reader may have moved it or changed its flags since it was indexed. Undefined if it is
   * not there.
   */
  async pathOf({ id }: Pick<ArchivedMessage, "id">): Promise<string | undefined> {
    const indexed = this.#read((reader) => reader.fileOf(id));
    if (indexed === undefined) return undefined;
    const folder = join(
      accountDirectory(this.#settings.directory, indexed.account),
      indexed.directory,
    );
    return (await this.#usualPath(folder, indexed)) ?? this.#listedPath(folder, indexed.file.name);
  }

  /** Removes messages from the index. The files are the caller's. Returns the number of messages that were there. */
  async remove(ids: readonly number[]): Promise<number> {
    let removed = 0;
    for (let at = 0; at < ids.length; at += REMOVED_AT_ONCE) {
      removed += this.writer.remove(ids.slice(at, at + REMOVED_AT_ONCE));
      await nextTurn();
    }
    return removed;
  }

  /** Throws CommandError (69) if this process only reads. */
  get writer(): IndexWriter {
    const { writer } = this.open;
    if (writer === undefined) throw unavailable("the index was opened for reading");
    return writer;
  }

  /** Notes the error if it means that the index cannot be used any more. Returns whether it does. */
  noteDamage(error: unknown): boolean {
    if (!isDamage(error)) return false;
    this.#fault = damaged(this.#open?.file ?? this.#settings.state);
    this.#close();
    return true;
  }

  close(): void {
    this.#close();
    this.#looks.close();
  }

  #read<T>(ask: (reader: IndexReader) => T): T {
    const { reader } = this.open;
    try {
      return ask(reader);
    } catch (error) {
      if (this.noteDamage(error)) throw this.#fault;
      throw error;
    }
  }

  async #usualPath(folder: string, { file }: IndexedFile): Promise<string | undefined> {
    const { name } = file;
    const places = PARTS.flatMap((part) =>
      USUAL_SUFFIXES.map((suffix) => ({ part, name, suffix })),
    );
    const paths = [file, ...places].map((place) => join(folder, maildirPath(place)));
    const [own = ""] = paths;
    const [look] = await this.#looks.look([own]);
    if (look?.kind === "file") return own;
    const looks = await this.#looks.look(paths);
    return paths[looks.findIndex((one) => one?.kind === "file")];
  }

  /** cur/ first: files stay there. */
  async #listedPath(folder: string, name: string): Promise<string | undefined> {
    for (const part of PARTS.toReversed()) {
      try {
        for await (const names of this.#looks.names(join(folder, part))) {
          const found = names.find((fileName) => maildirFile(part, fileName).name === name);
          if (found !== undefined) return join(folder, part, found);
        }
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    }
    return undefined;
  }

  #openWith(open: () => OpenIndex): void {
    try {
      this.#open = open();
    } catch (error) {
      if (error instanceof NewerIndex) this.#fault = unavailable(error.message);
      else if (isDamage(error)) this.#fault = damaged(this.#settings.state);
      else throw error;
    }
  }

  #close(): void {
    const open = this.#open;
    this.#open = undefined;
    open?.reader.close();
    open?.writer?.close();
  }
}

/** Throws NewerIndex, or the error of SQLite. */
export function openForWriting(file: string): OpenIndex {
  const writer = new IndexWriter(file);
  try {
    return { file, writer, reader: new IndexReader(file) };
  } catch (error) {
    writer.close();
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function damaged(where: string): CommandError {
  return unavailable(`the index ${where} is damaged; run relayctl archive reindex`);
}

function unavailable(what: string): CommandError {
  return new CommandError(what, EXIT.unavailable);
}
