// One message between DATA and its reply: the reader of the stream, the sink it goes to, and the pace at which it
// has to come.
//
// Invariants: whatever goes wrong on the way, the stream is read as text up to its true end, and only then is the
// client told. A failing sink must never turn the rest of a message into commands. The sink gets no more pieces than the
// octets are worth: a client that sends them one by one must not cost an object each.

import { FirstError } from "../../base/first-error.ts";
import { type MaybePromise, together } from "../../base/maybe-promise.ts";
import { LOCAL_ERROR, type Status } from "../../mail/status.ts";
import { type MessageReader, UNFIT } from "./message-reader.ts";
import type { MessageSink } from "./reception.ts";

/** The pace is looked at over so many milliseconds. */
const PACE_WINDOW = 60_000;

/** Pieces that go on at once, whatever their size: no honest message comes in more small ones. */
const AT_ONCE = 64;
/** Octets. Behind those, a shorter piece waits for the next ones, until they are a block together. */
const SMALL = 1024;
const BLOCK = 4096;

export class IncomingMessage {
  /** Asks the client to wait. */
  ready: MaybePromise<void> = undefined;
  readonly #failure = new FirstError();
  #pieces = 0;
  /** Small pieces that wait, and their octets. */
  #block: Buffer | undefined;
  #waiting = 0;
  #received = 0;
  #windowStart: number;
  #windowReceived = 0;
  readonly #reader: MessageReader;
  readonly #sink: MessageSink;

  constructor(reader: MessageReader, sink: MessageSink, now: number) {
    this.#reader = reader;
    this.#sink = sink;
    this.#windowStart = now;
  }

  /** Octets of content so far. */
  get size(): number {
    return this.#reader.size;
  }

  /** The offset behind the end of the message, or -1 when it goes on in the next chunk. */
  read(chunk: Buffer): number {
    const end = this.#reader.read(chunk, this.#write);
    this.#received += end < 0 ? chunk.length : end;
    return end;
  }

  readonly #write = (piece: Buffer): void => {
    const isSmall = piece.length < SMALL && this.#pieces >= AT_ONCE;
    if (!isSmall || this.#waiting + piece.length > BLOCK) this.#flush();
    if (!isSmall) return this.#hand(piece);
    this.#block ??= Buffer.allocUnsafe(BLOCK);
    this.#waiting += piece.copy(this.#block, this.#waiting);
  };

  #flush(): void {
    const waiting = this.#block?.subarray(0, this.#waiting);
    this.#block = undefined;
    this.#waiting = 0;
    if (waiting !== undefined) this.#hand(waiting);
  }

  #hand(piece: Buffer): void {
    this.#pieces++;
    this.ready = together(
      this.ready,
      this.#failure.guard(() => this.#sink.write(piece)),
    );
  }

  /** Is the client slower than so many octets a second, over the last minute? To be asked now and then. */
  isSlowerThan(rate: number, now: number): boolean {
    if (now - this.#windowStart < PACE_WINDOW) return false;
    const tooSlow = this.#received - this.#windowReceived < (rate * PACE_WINDOW) / 1000;
    this.resumeAt(now);
    return tooSlow;
  }

  /** The client had to wait for us until now: that is not counted against it. */
  resumeAt(now: number): void {
    this.#windowStart = now;
    this.#windowReceived = this.#received;
  }

  /** Behind the end: the reply, if the message was unfit to be taken. */
  unfit(): Status | undefined {
    const { unfit } = this.#reader;
    if (unfit === undefined) return undefined;
    this.#sink.abort(UNFIT[unfit]);
    return UNFIT[unfit];
  }

  /** Behind the end of a message that is fit. Rejects with what went wrong on our side. */
  async finish(): Promise<Status> {
    this.#flush();
    await this.ready;
    const { first } = this.#failure;
    if (first === undefined) return this.#sink.finish();
    this.#sink.abort(LOCAL_ERROR);
    throw first.error;
  }

  abort(): void {
    this.#sink.abort();
  }
}
