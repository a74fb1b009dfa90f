// How far a long command is: one line on stderr that is written over, on a terminal only.

import type { Clock } from "../../base/clock.ts";

/** Milliseconds. */
const INTERVAL = 200;

export class Progress {
  readonly #stream: NodeJS.WriteStream;
  readonly #clock: Pick<Clock, "monotonic">;
  #next = 0;
  #hasLine = false;

  constructor(clock: Pick<Clock, "monotonic">, stream: NodeJS.WriteStream = process.stderr) {
    this.#clock = clock;
    this.#stream = stream;
    this.#next = clock.monotonic() + INTERVAL;
  }

  /** "1234 messages of the mailbox". */
  show(what: string, count: number): void {
    if (!this.#stream.isTTY || this.#clock.monotonic() < this.#next) return;
    this.#next = this.#clock.monotonic() + INTERVAL;
    this.#stream.write(`\r\u001b[K${count} ${what}`);
    this.#hasLine = true;
  }

  /** Removes the line. */
  end(): void {
    if (this.#hasLine) this.#stream.write("\r\u001b[K");
    this.#hasLine = false;
  }
}
