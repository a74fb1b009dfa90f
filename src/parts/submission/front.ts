// The socket that smtp-server talks to: the session gives it commands, one at a time, and gets the reply of each.
//
// Invariant: if smtp-server throws while it handles an event of the socket, the socket is destroyed with that error.

import { Duplex } from "node:stream";

export class Front extends Duplex {
  readonly #onReply: (reply: string) => void;
  readonly #onEnd: () => void;

  /** `onReply` gets each reply whole. `onEnd` is called when smtp-server has closed its side. */
  constructor(onReply: (reply: string) => void, onEnd: () => void) {
    super({ decodeStrings: true });
    this.#onReply = onReply;
    this.#onEnd = onEnd;
  }

  override emit(event: string | symbol, ...values: unknown[]): boolean {
    try {
      return super.emit(event, ...values);
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
      return true;
    }
  }

  /** smtp-server writes only while this is "open". */
  get readyState(): string {
    return this.destroyed ? "closed" : "open";
  }

  /** The session has deadlines of its own. */
  setTimeout(): this {
    return this;
  }

  /** Gives smtp-server a line. */
  give(line: string): void {
    if (!this.destroyed) this.push(`${line}\r\n`);
  }

  override _read(): void {
    // Lines come when the client sends them.
  }

  override _write(reply: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#onReply(reply.toString("utf8"));
    done();
  }

  override _final(done: () => void): void {
    done();
    this.#onEnd();
  }
}
