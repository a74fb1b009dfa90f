// A message that is passed on while it comes in: the session writes it, and a transport reads it once.
//
// Invariants:
// - The reader sees the end only after `complete`, so a transport never sends the final dot after half a message.
// - At most 256 KiB and one piece wait between the two. A writer that is ahead must wait.
// - If the reader has gone, the writer does not wait.

import type { Body } from "../../mail/envelope.ts";

/** Octets that may wait for the reader before the writer must wait. */
const ROOM = 256 * 1024;

export class PassingBody implements Body {
  /** The size that the client declared; 0 if it declared none. */
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

  /** Adds a piece. If it returns a promise, the writer must wait for it. */
  write(piece: Buffer): Promise<void> | undefined {
    if (this.#readerIsGone || this.#end !== "open") return undefined;
    this.#pieces.push(piece);
    this.#waiting += piece.length;
    this.#wakeReader?.();
    if (this.#waiting <= ROOM) return undefined;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  /** The message is whole: the reader may see its end. */
  complete(): void {
    this.#endWith("complete");
  }

  /** Ends the message with an error, which the reader gets unless it has read to the end. */
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

  /** No reader will read the rest. */
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
