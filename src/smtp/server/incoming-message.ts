// One message between DATA and its reply: the reader of the stream, the sink that gets the content, and the pace that
// the client must keep.
//
// Invariants:
// - If the sink fails or the message is unfit, the stream is still read as text up to its true end. Only then does the
//   client get its reply. The rest of a message is never read as commands.
// - Small pieces are joined into blocks. A client that sends single octets does not cost an object for each.
// - The sink gets one piece at a time: the next one only when it has taken the one before, and none after `abort`.

import { FirstError } from "../../base/first-error.ts";
import type { MaybePromise } from "../../base/maybe-promise.ts";
import { LOCAL_ERROR, type Status } from "../../mail/status.ts";
import { type MessageReader, UNFIT } from "./message-reader.ts";
import type { MessageSink } from "./reception.ts";

/** Milliseconds over which the pace is measured. */
const PACE_WINDOW = 60_000;

/** Pieces that go on at once, whatever their size. No honest message comes in more small ones. */
const AT_ONCE = 64;
/** Octets. After the first pieces, a shorter piece than this waits until it and the next ones fill a block. */
const SMALL = 1024;
/** Octets. */
const BLOCK = 4096;

export class IncomingMessage {
  /** While it is pending, the client must wait. */
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

  /** Returns the offset after the end of the message, or -1 if the message goes on in the next chunk. */
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
    const write = () => this.#failure.guard(() => this.#sink.write(piece));
    this.ready = this.ready instanceof Promise ? this.ready.then(write) : write();
  }

  /** Whether the client sent fewer than `rate` octets a second in the last window. False until a window is over. */
  isSlowerThan(rate: number, now: number): boolean {
    if (now - this.#windowStart < PACE_WINDOW) return false;
    const tooSlow = this.#received - this.#windowReceived < (rate * PACE_WINDOW) / 1000;
    this.resumeAt(now);
    return tooSlow;
  }

  /** Begins a new window: until now the client had to wait for the relay, which does not count against it. */
  resumeAt(now: number): void {
    this.#windowStart = now;
    this.#windowReceived = this.#received;
  }

  /** After the end of the message: returns the reply if the message is unfit, and aborts the sink. */
  unfit(): Status | undefined {
    const { unfit } = this.#reader;
    if (unfit === undefined) return undefined;
    this.#giveUp(UNFIT[unfit]);
    return UNFIT[unfit];
  }

  /** After the end of a fit message: returns the final reply. Rejects with the sink's error. */
  async finish(): Promise<Status> {
    this.#flush();
    await this.ready;
    const { first } = this.#failure;
    if (first === undefined) return this.#sink.finish();
    this.#sink.abort(LOCAL_ERROR);
    throw first.error;
  }

  abort(): void {
    this.#giveUp();
  }

  #giveUp(reply?: Status): void {
    this.#failure.set(new Error("the message was given up"));
    this.#sink.abort(reply);
  }
}
