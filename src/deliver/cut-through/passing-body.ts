// A message that is passed on while it comes in: written by the session, read once by a transport.
//
// Invariants: the reader sees the end only after `complete`, so nobody puts a final dot behind half a message. Only
// a bounded number of bytes waits between the two: a writer that is ahead is made to wait, and a reader that has
// gone holds up nobody.

import type { Body } from "../../mail/envelope.ts";

/** Bytes that may wait for the reader. */
const ROOM = 256 * 1024;

export class PassingBody implements Body {
  /** What the client declared; 0 if it did not. */
  readonly size: number;
  unread = true;
  readonly #pieces: Buffer[] = [];
  #waiting = 0;
  #end: "open" | "complete" | Error = "open";
  #readerIsGone = false;
  #wakeReader: (() => void) | undefined;
  #room: PromiseWithResolvers<void> | undefined;

  constructor(size: number) {
    this.size = size;
  }

  /** The promise, if there is one, asks to be waited for. */
  write(piece: Buffer): Promise<void> | undefined {
    if (this.#readerIsGone || this.#end !== "open") return undefined;
    this.#pieces.push(piece);
    this.#waiting += piece.length;
    this.#wakeReader?.();
    if (this.#waiting <= ROOM) return undefined;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  /** The message is whole, and may be ended. */
  complete(): void {
    this.#endWith("complete");
  }

  /** The reading fails, if it has not come to the end. */
  abandon(why: Error): void {
    this.#endWith(why);
    this.unwanted();
  }

  #endWith(end: "complete" | Error): void {
    if (this.#end === "open") this.#end = end;
    this.#wakeReader?.();
  }

  async *chunks(): AsyncGenerator<Buffer> {
    if (!this.unread) throw new Error("a message that is passing by can be read only once");
    this.unread = false;
    try {
      for (;;) {
        if (this.#end instanceof Error) throw this.#end;
        const piece = this.#pieces.shift();
        if (piece !== undefined) {
          this.#waiting -= piece.length;
          if (this.#waiting <= ROOM) this.#makeRoom();
          yield piece;
        } else if (this.#end === "complete") {
          return;
        } else {
          await this.#change();
        }
      }
    } finally {
      this.unwanted();
    }
  }

  /** Nobody reads it, or goes on reading it. */
  unwanted(): void {
    this.#readerIsGone = true;
    this.#pieces.length = 0;
    this.#makeRoom();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => (this.#wakeReader = resolve));
  }

  #makeRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}
