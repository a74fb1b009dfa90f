// Writes a chain: text files, one a UTC day, in which each line proves the lines before it (line.ts).
//
// Invariants:
// - When `append` resolves, its lines are on disk, in their order, with nothing between them.
// - A batch that fails leaves nothing behind that a later line would follow. If it cannot be taken back, later batches
//   fail too.
// - The day of a line is never before the day of an earlier line, however the clock is set.
// - A line that was acknowledged is never removed, even if its octets have been changed since.
//
// Only one process may write a chain: the one that holds the lock of the archive's state.

import { type FileHandle, open, stat } from "node:fs/promises";
import { constants } from "node:fs";
import type { Clock } from "../../../base/clock.ts";
import { makeDirectory, syncDirectory } from "../../../base/durable/directory.ts";
import { errorCode } from "../../../base/error-code.ts";
import { dayFile, dayOf } from "./days.ts";
import { type ChainEnd, endOfChain } from "./end.ts";
import { hashOf, LINE_MAX, lineText, NO_LINE } from "./line.ts";

/** A line that is to be written: its word and its fields, as they are read back. */
export interface NewLine {
  readonly word: string;
  readonly fields: readonly string[];
}

/** The calls by which lines reach the disk. A test replaces them by failing ones. */
interface ChainFile extends Pick<FileHandle, "datasync" | "stat" | "truncate" | "close"> {
  appendFile(text: string): Promise<void>;
}

export interface ChainFiles {
  /** Opens the file for appending, and creates it if it is missing. */
  open(path: string): Promise<ChainFile>;
}

const NODE_FILES: ChainFiles = {
  open: (path) =>
    open(
      path,
      constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW,
      0o600,
    ),
};

const EPOCH = new Date(0);
/** The hash, the blank after it, the line end, and a sign and two more digits of a year. */
const HASH_ROOM = 64 + 1 + 1 + 3;

interface Batch {
  readonly lines: readonly NewLine[];
  readonly done: PromiseWithResolvers<void>;
}

/** The file that lines are written to, as the last batch has left it. */
interface OpenDay {
  readonly day: string;
  readonly file: ChainFile;
  size: number;
}

export class Chain {
  readonly #directory: string;
  readonly #clock: Pick<Clock, "now">;
  readonly #files: ChainFiles;
  #waiting: Batch[] = [];
  #writing: Promise<void> | undefined;
  #open: OpenDay | undefined;
  /** The hash and the day of the last line; undefined until the end of the chain has been read. */
  #last: { readonly hash: string; readonly day: string | undefined } | undefined;
  /** The file and its size before a batch that has failed and could not be taken back yet. */
  #owed: { readonly day: string; readonly size: number } | undefined;
  #isClosed = false;

  /** `directory` is made with the first line. */
  constructor(directory: string, clock: Pick<Clock, "now">, files = NODE_FILES) {
    this.#directory = directory;
    this.#clock = clock;
    this.#files = files;
  }

  /**
   * Resolves when the lines are on disk. Lines of several calls may share one sync. Rejects if they cannot be written;
   * none of them counts then.
   */
  append(lines: readonly NewLine[]): Promise<void> {
    if (this.#isClosed) return Promise.reject(new Error(`the chain ${this.#directory} is closed`));
    if (lines.length === 0) return Promise.resolve();
    // The time, and the hash with its blank, have the same length in every line.
    const longest = Math.max(
      ...lines.map(({ word, fields }) => lineText(EPOCH, word, fields).length),
    );
    if (longest + HASH_ROOM > LINE_MAX) {
      return Promise.reject(new Error(`a line of ${longest} octets for ${this.#directory}`));
    }
    const done = Promise.withResolvers<void>();
    this.#waiting.push({ lines, done });
    this.#writing ??= this.#write();
    return done.promise;
  }

  /** The hash of the last line that is on disk; undefined without one. Changes nothing. */
  async lastHash(): Promise<string | undefined> {
    await this.#writing;
    if (this.#owed !== undefined)
      throw new Error(`the last lines of ${this.#directory} are not safe`);
    const { hash } = this.#last ?? (await endOfChain(this.#directory));
    return hash === NO_LINE ? undefined : hash;
  }

  /** Writes what waits, then closes the file. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#writing;
    await this.#closeDay();
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batches = this.#waiting;
      this.#waiting = [];
      try {
        await this.#writeLines(batches.flatMap(({ lines }) => lines));
        for (const { done } of batches) done.resolve();
      } catch (error) {
        for (const { done } of batches) done.reject(error);
      }
    }
    this.#writing = undefined;
  }

  async #writeLines(lines: readonly NewLine[]): Promise<void> {
    const at = new Date(this.#clock.now());
    await this.#takeBack();
    await this.#leaveReplacedFile();
    let { hash, day } = (this.#last ??= await this.#takeUp(at));
    const current = await this.#openDay(dayOf(at, day));
    let written = "";
    for (const { word, fields } of lines) {
      const text = lineText(at, word, fields);
      hash = hashOf(hash, text);
      written += `${hash} ${text}\n`;
    }
    day = current.day;
    try {
      await current.file.appendFile(written);
      await current.file.datasync();
    } catch (error) {
      this.#owed = { day: current.day, size: current.size };
      // Otherwise before the next batch. The error of this batch is the one to report.
      await this.#takeBack().catch(() => undefined);
      throw error;
    }
    current.size += written.length;
    this.#last = { hash, day };
  }

  /** Removes what a failed batch has left in its file. Then the end of the chain is read anew. */
  async #takeBack(): Promise<void> {
    const owed = this.#owed;
    if (owed === undefined) return;
    this.#last = undefined;
    const { file } = await this.#openDay(owed.day);
    const { size } = await file.stat();
    if (size > owed.size) {
      await file.truncate(owed.size);
      await file.datasync();
    }
    this.#owed = undefined;
    await this.#closeDay();
  }

  /** Reads the end of the chain, and brings it into a state that a line can follow. */
  async #takeUp(at: Date): Promise<{ hash: string; day: string | undefined }> {
    await makeDirectory(this.#directory);
    const end = await endOfChain(this.#directory);
    if (end.day === undefined || end.tail === undefined) return end;
    return await this.#heal(end, end.day, end.tail, at);
  }

  /**
   * A line that was being written is cut off, and a line `torn` says so. A whole line that was changed afterwards stays,
   * and only gets its line end back: verification names it.
   */
  async #heal(
    { hash, size }: ChainEnd,
    day: string,
    tail: NonNullable<ChainEnd["tail"]>,
    at: Date,
  ): Promise<{ hash: string; day: string | undefined }> {
    await using file = await open(
      dayFile(this.#directory, day),
      constants.O_RDWR | constants.O_NOFOLLOW,
    );
    if (tail.what === "changed") {
      await file.write("\n", size + tail.octets);
      await file.datasync();
      return await endOfChain(this.#directory);
    }
    const text = lineText(at, "torn", [String(tail.octets)]);
    const torn = hashOf(hash, text);
    const line = Buffer.from(`${torn} ${text}\n`);
    await file.truncate(size);
    await file.datasync();
    await file.write(line, 0, line.length, size);
    await file.datasync();
    return { hash: torn, day };
  }

  async #openDay(day: string): Promise<OpenDay> {
    if (this.#open?.day === day) return this.#open;
    await this.#closeDay();
    const file = await this.#files.open(dayFile(this.#directory, day));
    try {
      const { size } = await file.stat();
      // The file may be new. Its name is on disk before the first line in it is acknowledged.
      await syncDirectory(this.#directory);
      this.#open = { day, file, size };
      return this.#open;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Takes up the chain anew if the open file was removed, replaced or changed by another program. */
  async #leaveReplacedFile(): Promise<void> {
    const current = this.#open;
    if (current === undefined) return;
    const { size, ino } = await current.file.stat();
    const onDisk = await inodeOf(dayFile(this.#directory, current.day));
    if (size === current.size && ino === onDisk) return;
    this.#last = undefined;
    await this.#closeDay();
  }

  async #closeDay(): Promise<void> {
    const file = this.#open?.file;
    this.#open = undefined;
    await file?.close();
  }
}

/** Undefined when there is no such file. */
async function inodeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).ino;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
