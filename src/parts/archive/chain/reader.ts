// Reads a chain and checks that each line follows from the line before, over all days, in bounded memory.
//
// Invariants:
// - A change of any octet, and a line that was added or taken out, is an item `broken` with its day and line.
// - Lines cut off at the end of the chain cannot be seen from within: that is what a kept seal is for.
// - A line that was being written when its process died is `torn`, which is no fault.

import { createReadStream } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { dayFile, daysIn } from "./days.ts";
import { tailKind } from "./end.ts";
import { hashOf, LINE_MAX, NO_LINE, splitLine, textOfField } from "./line.ts";

/** Where a line stands. */
export interface LinePlace {
  readonly day: string;
  /** From 1. */
  readonly line: number;
  /** Octets before the line in the file of its day. */
  readonly offset: number;
}

export interface ChainLine extends LinePlace {
  readonly hash: string;
  /** When the line was written, as it says. */
  readonly at: string;
  readonly word: string;
  readonly fields: readonly string[];
  /**
   * "whole": follows from the line before. "broken": it or the line before was changed, added or taken out. Word and
   * fields of a broken line are what can be read of it. "torn": octets of a line that was being written.
   */
  readonly state: "whole" | "broken" | "torn";
}

export class ChainReader {
  readonly #directory: string;
  /** Hashes that the next line may follow: one, or several after a broken line. */
  #before: readonly string[] = [NO_LINE];
  #day = "";
  #line = 0;
  #offset = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The hash of the last line that was read; undefined before the first. */
  get hash(): string | undefined {
    return this.#before[0] === NO_LINE ? undefined : this.#before[0];
  }

  /** The lines from where the last call ended to the present end of the chain, in batches. */
  async *read(): AsyncGenerator<readonly ChainLine[], void, undefined> {
    const days = (await daysIn(this.#directory)).filter((day) => day >= this.#day);
    for (const day of days) {
      if (day !== this.#day) {
        this.#day = day;
        this.#line = 0;
        this.#offset = 0;
      }
      yield* this.#readDay(day === days.at(-1));
    }
  }

  async *#readDay(isLast: boolean): AsyncGenerator<readonly ChainLine[], void, undefined> {
    const path = dayFile(this.#directory, this.#day);
    const stream = createReadStream(path, { start: this.#offset, highWaterMark: 256 * 1024 });
    let rest = Buffer.alloc(0);
    /** The line under way is longer than a line may be: only its beginning is held. */
    let isTooLong = false;
    for await (const piece of stream as AsyncIterable<Buffer>) {
      const bytes = Buffer.concat([rest, piece]);
      const lines: ChainLine[] = [];
      let from = 0;
      for (let end = bytes.indexOf("\n"); end >= 0; end = bytes.indexOf("\n", from)) {
        lines.push(this.#next(bytes.toString("latin1", from, end), this.#offset + from, isTooLong));
        isTooLong = false;
        from = end + 1;
      }
      rest = bytes.subarray(from);
      this.#offset += from;
      if (rest.length > LINE_MAX) {
        this.#offset += rest.length - LINE_MAX;
        rest = rest.subarray(0, LINE_MAX);
        isTooLong = true;
      }
      if (lines.length > 0) yield lines;
    }
    if (rest.length > 0) yield await this.#tail(path, rest, isLast, isTooLong);
  }

  /** The octets after the last line end of a day. Octets that a writer is still adding to are read the next time. */
  async #tail(
    path: string,
    rest: Buffer,
    isLast: boolean,
    isTooLong: boolean,
  ): Promise<ChainLine[]> {
    const { size } = await stat(path);
    if (size > this.#offset + rest.length) return [];
    if (!isLast) {
      const line = this.#next(rest.toString("latin1"), this.#offset, isTooLong);
      this.#offset += rest.length;
      return [{ ...line, state: "broken" }];
    }
    const isTorn = !isTooLong && tailKind(rest, this.#before[0] ?? NO_LINE) === "cut";
    const place = { day: this.#day, line: this.#line + 1, offset: this.#offset };
    if (!isTorn) return [{ ...place, ...NOTHING, state: "broken" }];
    return [{ ...place, ...NOTHING, fields: [String(rest.length)], state: "torn" }];
  }

  #next(line: string, offset: number, isTooLong: boolean): ChainLine {
    this.#line++;
    const place = { day: this.#day, line: this.#line, offset };
    const split = isTooLong ? undefined : splitLine(line);
    if (split === undefined) {
      this.#before = afterBroken(this.#before);
      return { ...place, ...NOTHING, state: "broken" };
    }
    const { hash, text } = split;
    const { at, word, fields } = wordsOf(text);
    const computed = this.#before.map((before) => hashOf(before, text));
    const isWhole = computed.includes(hash);
    this.#before = isWhole ? [hash] : [hash, ...afterBroken([...computed, ...this.#before])];
    return { ...place, hash, at, word, fields, state: isWhole ? "whole" : "broken" };
  }
}

function wordsOf(text: string): Pick<ChainLine, "at" | "word" | "fields"> {
  const [at = "", word = "", ...fields] = text.split(" ");
  return { at, word, fields: fields.map(textOfField) };
}

/** Lines of a chain by their places, as a reader has given them. It holds one file open. */
export class LinesAt {
  readonly #directory: string;
  #open: { readonly day: string; readonly file: FileHandle } | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Undefined if no line with a hash begins there. */
  async read({ day, offset }: Pick<LinePlace, "day" | "offset">) {
    const file = await this.#fileOf(day);
    for (const length of [USUAL_LINE, LINE_MAX]) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
      const end = buffer.subarray(0, bytesRead).indexOf("\n");
      const split = end < 0 ? undefined : splitLine(buffer.toString("latin1", 0, end));
      if (split !== undefined) return wordsOf(split.text);
    }
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#open?.file.close();
    this.#open = undefined;
  }

  async #fileOf(day: string): Promise<FileHandle> {
    if (this.#open?.day === day) return this.#open.file;
    await this[Symbol.asyncDispose]();
    const file = await open(dayFile(this.#directory, day), "r");
    this.#open = { day, file };
    return file;
  }
}

/**
 * After a broken line, the next may follow from its written hash, its computed hash or the line before it; after a line
 * without a hash, it follows 64 zeros. One of them is right, so that only the broken line is named.
 */
function afterBroken(hashes: readonly string[]): string[] {
  return [...hashes.slice(0, CANDIDATES), NO_LINE];
}

const CANDIDATES = 3;

/** Octets that hold nearly every line. */
const USUAL_LINE = 1024;

const NOTHING = { hash: "", at: "", word: "", fields: [] } as const;
