// The log's way to stdout. Lines of one turn of the event loop leave in one write, and the write happens on the
// thread pool: neither a hundred messages a turn nor a slow reader of the log holds up a session.
//
// Invariant: lines leave whole and in order. When they cannot be written the relay goes on without them: mail is
// worth more than its log. How many were lost is said on stderr.

import { write, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { errorCode } from "../error-code.ts";
import type { LineSink } from "../log.ts";

const writeAsync = promisify(write);

/** Bytes that may wait for a reader that has stopped reading. */
const WAITING_MAX = 16 * 1024 * 1024;
/** Milliseconds. */
const PAUSE = 20;

export class LogOutput implements LineSink {
  readonly #fd: number;
  #lines: string[] = [];
  #length = 0;
  #lost = 0;
  #writing: Promise<void> | undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(line: string): void {
    if (this.#length + line.length > WAITING_MAX) {
      this.#lost++;
      return;
    }
    this.#lines.push(line);
    this.#length += line.length;
    this.#writing ??= new Promise<void>((resolve) => setImmediate(resolve)).then(() =>
      this.#drain(),
    );
  }

  async #drain(): Promise<void> {
    while (this.#lines.length > 0) {
      const lines = this.#take();
      try {
        await this.#writeWhole(Buffer.from(lines.join("")));
        this.#confess("the reader was too slow");
      } catch (error) {
        this.#lost += lines.length;
        this.#confess(error);
      }
    }
    this.#writing = undefined;
  }

  async #writeWhole(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      try {
        at += (await writeAsync(this.#fd, bytes, at)).bytesWritten;
      } catch (error) {
        // Whoever started us left a terminal or pipe that does not wait, and it is full.
        if (errorCode(error) !== "EAGAIN") throw error;
        await sleep(PAUSE);
      }
    }
  }

  #take(): string[] {
    const lines = this.#lines;
    this.#lines = [];
    this.#length = 0;
    return lines;
  }

  #confess(why: unknown): void {
    if (this.#lost === 0) return;
    const reason = why instanceof Error ? why.message : String(why);
    const what = `relayctl: ${this.#lost} log lines are lost: ${reason}\n`;
    this.#lost = 0;
    tryToSay(what);
  }

  /** Resolves when everything is written. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  /** For a process that ends here and now. */
  flushNow(): void {
    try {
      writeSync(this.#fd, this.#take().join(""));
    } catch (error) {
      this.#confess(error);
    }
  }
}

/** stderr may be as closed as stdout: then there is nobody left to tell. */
function tryToSay(what: string): boolean {
  try {
    writeSync(2, what);
    return true;
  } catch {
    return false;
  }
}
