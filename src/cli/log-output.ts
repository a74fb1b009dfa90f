// Writes the log to stdout. The lines of some milliseconds leave together, in slices, and the thread pool writes them.
// So neither a hundred messages in a turn nor a slow reader of the log holds up a session.
//
// Invariants:
//
// - Lines leave whole and in order.
// - The waiting lines are bounded. Once half of that room is taken, because a reader is slow or a disk hangs, no
//   message and no client gets more than its share. So a message with a thousand recipients does not displace the lines
//   of others.
// - At most one thread of the pool waits for stdout, even if it hangs. A process that ends waits no longer than it chooses.
// - Lines without room are lost, because mail is worth more than its log. Their number is written to stderr.

import { fstatSync, write, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { errorCode } from "../base/error-code.ts";
import type { LineSink } from "../observe/log.ts";

const writeAsync = promisify(write);

const MEGABYTE = 1024 * 1024;
/** Characters that may wait for a reader that has stopped reading. */
const WAITING_MAX = 16 * MEGABYTE;
/** Characters that may wait for a file. A file takes a burst soon, unless its disk hangs. */
const WAITING_FOR_FILE_MAX = 64 * MEGABYTE;
/** Milliseconds that one write may take. After that the disk, or the reader, counts as hanging. */
const HANGING = 1000;
/** Share of the room for each message and each client, once the room is half full. */
const SHARE = 1 / 32;
/** Characters that are written at once. */
const SLICE = 256 * 1024;
/** Milliseconds. */
const PAUSE = 20;
/** Milliseconds for which lines are gathered: each write costs as much as a dozen lines. */
const GATHERING = 5;

/** Lines that are written together. */
interface Slice {
  readonly lines: string[];
  /** For each line, the message or client that it is about. */
  readonly sources: (string | undefined)[];
  length: number;
}

export class LogOutput implements LineSink {
  readonly #fd: number;
  readonly #isFile: boolean;
  readonly #waitingMax: number;
  readonly #slices: Slice[] = [];
  /** For each message or client, the number of waiting characters about it. Counted only while they matter. */
  #shares: Map<string, number> | undefined;
  /** The slice that is being written. */
  #underWay: Slice | undefined;
  #waiting = 0;
  #lost = 0;
  #confessing = false;
  /** When the write under way began, by the monotonic clock. Absent if no write is under way. */
  #begunAt: number | undefined;
  /** The write under way has taken too long, and the event loop has turned meanwhile. */
  #hangs = false;
  #endsInLine = false;
  #writing: Promise<void> | undefined;

  constructor(fd: number) {
    this.#fd = fd;
    this.#isFile = isFile(fd);
    this.#waitingMax = this.#isFile ? WAITING_FOR_FILE_MAX : WAITING_MAX;
  }

  /** `source` is the id of the message that the line is about, or else the client. Absent if it is about neither. */
  write(line: string, source?: string): void {
    const { length } = line;
    if (!this.#hasRoom(length, source)) {
      this.#lost++;
      return;
    }
    const slice = this.#openSlice();
    slice.lines.push(line);
    slice.sources.push(source);
    slice.length += length;
    this.#waiting += length;
    if (this.#shares !== undefined) addTo(this.#shares, source, length);
    this.#writing ??= sleep(GATHERING).then(() => this.#drain());
  }

  #hasRoom(length: number, source: string | undefined): boolean {
    if (this.#waiting + length > this.#waitingMax) return false;
    if (source === undefined || this.#waiting < this.#waitingMax / 2) return true;
    if (this.#isFile && !this.#hangs) return true;
    this.#shares ??= this.#counted();
    return (this.#shares.get(source) ?? 0) + length <= this.#waitingMax * SHARE;
  }

  #counted(): Map<string, number> {
    const shares = new Map<string, number>();
    for (const { lines, sources } of this.#unwritten) {
      for (const [index, line] of lines.entries()) addTo(shares, sources[index], line.length);
    }
    return shares;
  }

  #openSlice(): Slice {
    const last = this.#slices.at(-1);
    if (last !== undefined && last.length < SLICE) return last;
    const slice = { lines: [], sources: [], length: 0 };
    this.#slices.push(slice);
    return slice;
  }

  async #drain(): Promise<void> {
    for (let slice = this.#slices.shift(); slice !== undefined; slice = this.#slices.shift()) {
      await this.#writeSlice(slice);
    }
    this.#writing = undefined;
  }

  /** The slices whose characters are waiting. */
  get #unwritten(): readonly Slice[] {
    return this.#underWay === undefined ? this.#slices : [this.#underWay, ...this.#slices];
  }

  async #writeSlice(slice: Slice): Promise<void> {
    this.#underWay = slice;
    try {
      await this.#writeWhole(Buffer.from(slice.lines.join("")));
      this.#confess("the reader was too slow");
    } catch (error) {
      this.#lost += slice.lines.length;
      this.#confess(error);
    } finally {
      this.#waiting -= slice.length;
      this.#underWay = undefined;
      // They are counted again when the room is half full again.
      if (this.#waiting < this.#waitingMax / 2) this.#shares = undefined;
      else this.#release(slice);
    }
  }

  #release({ lines, sources }: Slice): void {
    const shares = this.#shares;
    if (shares === undefined) return;
    for (const [index, line] of lines.entries()) addTo(shares, sources[index], -line.length);
  }

  async #writeWhole(lines: Buffer): Promise<void> {
    // If the last write stopped in the middle of a line, that part stays in the output, and a new line begins after it.
    const bytes = this.#endsInLine ? Buffer.concat([Buffer.from("\n"), lines]) : lines;
    for (let at = 0; at < bytes.length;) {
      try {
        at += await this.#writeSome(bytes, at);
        this.#endsInLine = bytes[at - 1] !== LINE_END;
      } catch (error) {
        // stdout is a full non-blocking terminal or pipe, left so by the parent process.
        if (errorCode(error) !== "EAGAIN") throw error;
        await sleep(PAUSE);
      }
    }
  }

  /** Returns the number of octets that are written. */
  async #writeSome(bytes: Buffer, from: number): Promise<number> {
    const begunAt = performance.now();
    this.#begunAt = begunAt;
    const late = setTimeout(() => {
      // If the process itself stood still, the write may be over: the loop hears of that before the immediate.
      setImmediate(() => (this.#hangs = this.#begunAt === begunAt));
    }, HANGING);
    late.unref();
    try {
      return (await writeAsync(this.#fd, bytes, from)).bytesWritten;
    } finally {
      clearTimeout(late);
      this.#begunAt = undefined;
      this.#hangs = false;
    }
  }

  /** stderr may hang as stdout does. It holds at most one thread, and lines lost meanwhile are reported later. */
  #confess(why: unknown): void {
    if (this.#lost === 0 || this.#confessing) return;
    const reason = why instanceof Error ? why.message : String(why);
    const what = `relayctl: ${this.#lost} log lines are lost: ${reason}\n`;
    this.#lost = 0;
    this.#confessing = true;
    // stderr may be closed like stdout; then the loss cannot be reported.
    write(2, what, () => (this.#confessing = false));
  }

  /** Resolves when everything is written, or after `longest` milliseconds. */
  async flush(longest?: number): Promise<void> {
    const ends = longest === undefined ? [] : [sleep(longest, undefined, { ref: false })];
    await Promise.race([this.#writing, ...ends]);
  }

  /** For a process that ends at once. Writes nothing if the output hangs, because the write would never return. */
  flushNow(): void {
    if (this.#begunAt !== undefined && performance.now() - this.#begunAt >= HANGING) return;
    try {
      for (const { lines } of this.#slices.splice(0)) writeSync(this.#fd, lines.join(""));
    } catch (error) {
      this.#confess(error);
    }
  }
}

const LINE_END = 0x0a;

function addTo(shares: Map<string, number>, source: string | undefined, length: number): void {
  if (source === undefined) return;
  const share = (shares.get(source) ?? 0) + length;
  if (share > 0) shares.set(source, share);
  else shares.delete(source);
}

function isFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile();
  } catch {
    return false;
  }
}
