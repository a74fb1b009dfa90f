// The reader of the bytes between 354 and CRLF.CRLF (RFC 5321 4.5.2). It is a state machine over single bytes, so
// the segmentation of the stream cannot change the result. It skips runs of text, which change only the line length.
//
// Invariants:
// - Only CRLF ends a line, and only CRLF.CRLF ends the message (RFC 5321 2.3.8, 4.1.1.4).
// - A bare CR or LF is never passed on.
// - With "reject", a bare CR or LF makes the message unfit. The message is read to its true end, then refused.
// - With "normalize", a bare CR or LF becomes CRLF in the content. Even then it does not end the message, and a dot
//   after it is an ordinary character.

import { status, type Status } from "../../mail/status.ts";
import { Content, CRLF, LineEnds } from "./message-content.ts";

type Unfit = "bare-newline" | "line-too-long" | "too-big";

/** The reply to a message that is unfit. */
export const UNFIT: Readonly<Record<Unfit, Status>> = {
  "bare-newline": status(550, "6.0", "Message refused: it has a bare CR or LF"),
  "line-too-long": status(550, "6.0", "Message refused: it has a line that is too long"),
  "too-big": status(552, "3.4", "Message is too big"),
};

// The states of the reader within a line, and the next state for each octet. The test of this file has the same table.
//
//                  text         "."          CR             LF
//   LINE_START     IN_LINE      AFTER_DOT 1  AFTER_CR       IN_LINE 2
//   IN_LINE        IN_LINE      IN_LINE      AFTER_CR       IN_LINE 2
//   AFTER_CR       IN_LINE 3    IN_LINE 3    AFTER_CR 3     LINE_START
//   AFTER_DOT      IN_LINE      IN_LINE      AFTER_DOT_CR   IN_LINE 2
//   AFTER_DOT_CR   IN_LINE 3    IN_LINE 3    AFTER_CR 3     the end of the message 4
//
//   1  The dot is left out.           2  The LF is bare.
//   3  The CR before it was bare.     4  The line is left out. At the end of a chunk its CR is held back until then.
const LINE_START = 0;
const IN_LINE = 1;
const AFTER_CR = 2;
const AFTER_DOT = 3;
const AFTER_DOT_CR = 4;

const CR = 13;
const LF = 10;
const DOT = 46;
const LF_ALONE = CRLF.subarray(1);

/** The treatment of a bare CR or LF: "reject" the message, or "normalize" each to CRLF. */
export type BareNewlines = "reject" | "normalize";

export class MessageReader {
  /** The first fault of the message. After it, no more content is emitted. */
  unfit: Unfit | undefined;
  /** Octets of content so far, dot stuffing removed. */
  size = 0;
  #state = LINE_START;
  #lineLength = 0;
  readonly #sizeMax: number;
  readonly #lineMax: number;
  readonly #mends: boolean;

  constructor(sizeMax: number, lineMax: number, bareNewlines: BareNewlines = "reject") {
    this.#sizeMax = sizeMax;
    this.#lineMax = lineMax;
    this.#mends = bareNewlines === "normalize";
  }

  /**
   * Reads `chunk` and hands its content to `emit` in one piece, which may share the memory of `chunk`. Returns the
   * offset after the end of the message, or -1 if the message goes on in the next chunk.
   */
  read(chunk: Buffer, emit: (piece: Buffer) => void): number {
    const content = new Content(chunk, this.#mends);
    const end = this.#scan(chunk, content);
    const piece = this.unfit === undefined ? content.taken : undefined;
    if (piece !== undefined) emit(piece);
    return end;
  }

  #scan(chunk: Buffer, content: Content): number {
    let state = this.#state;
    let lineLength = this.#lineLength;
    let from = 0;
    const lineEnds = new LineEnds(chunk);
    for (let i = 0; i < chunk.length; i++) {
      let byte = chunk[i];
      const isText = byte !== CR && byte !== LF && byte !== DOT;
      if (isText && (state === LINE_START || state === IN_LINE)) {
        const stop = lineEnds.next(i);
        lineLength += stop - i;
        if (lineLength > this.#lineMax) this.unfit ??= "line-too-long";
        state = IN_LINE;
        if (stop === chunk.length) break;
        i = stop;
        byte = chunk[i];
      }
      if (byte === LF) {
        if (state === AFTER_DOT_CR) {
          // Nothing is left to emit. The dot and its CR, in this chunk or the one before, belong to the end.
          this.#state = LINE_START;
          this.#lineLength = 0;
          return i + 1;
        }
        // A dot after a bare LF must not end the message, so only CRLF leads to a line start.
        if (state !== AFTER_CR) from = this.#bare(CRLF, content, from, i, i + 1);
        state = state === AFTER_CR ? LINE_START : IN_LINE;
        lineLength = 0;
        continue;
      }
      if (state === AFTER_CR || state === AFTER_DOT_CR) {
        // The CR is in this chunk, or was emitted with the chunk before, or was held back there.
        const rest = i === 0 && state === AFTER_DOT_CR ? CRLF : LF_ALONE;
        from = this.#bare(rest, content, from, i, i);
        if (this.#mends) lineLength = 0;
      }
      lineLength++;
      if (state === LINE_START && byte === DOT) {
        this.#keep(content, from, i);
        from = i + 1;
        state = AFTER_DOT;
      } else if (byte === CR) {
        state = state === AFTER_DOT ? AFTER_DOT_CR : AFTER_CR;
      } else {
        state = IN_LINE;
      }
      if (lineLength > this.#lineMax) this.unfit ??= "line-too-long";
    }
    // ".CR" may be the end. Its CR is held back until the next chunk, which shows whether it is one or a bare CR.
    this.#keep(content, from, chunk.length - (state === AFTER_DOT_CR ? 1 : 0));
    this.#state = state;
    this.#lineLength = lineLength;
    return -1;
  }

  /** Handles a bare LF at `to`, or a bare CR before it. Returns where content goes on: `resumeAt` if it is mended. */
  #bare(mended: Buffer, content: Content, from: number, to: number, resumeAt: number): number {
    if (!this.#mends) {
      this.unfit ??= "bare-newline";
      return from;
    }
    this.#keep(content, from, to);
    content.put(mended);
    this.#count(mended.length);
    return resumeAt;
  }

  #keep(content: Content, from: number, to: number): void {
    if (to <= from) return;
    content.take(from, to);
    this.#count(to - from);
  }

  #count(octets: number): void {
    this.size += octets;
    if (this.size > this.#sizeMax) this.unfit ??= "too-big";
  }
}
