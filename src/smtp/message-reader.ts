// The bytes between 354 and CRLF.CRLF (RFC 5321 4.5.2), one state machine over single bytes, so that no
// segmentation of the stream can change its reading. Where nothing can change but the length of a line it jumps.
//
// Invariants: only CRLF ends a line and only CRLF.CRLF ends the message (RFC 5321 2.3.8, 4.1.1.4). A bare CR or
// a bare LF is never passed on. It makes the whole message unfit, which is then read to its true end and refused;
// or, where it is to be mended, it becomes CRLF in the content, and still neither ends a message nor begins a line
// in which a dot would count.

import { status, type Status } from "../status.ts";

type Unfit = "bare-newline" | "line-too-long" | "too-big";

/** How a message that cannot be taken is refused. */
export const UNFIT: Readonly<Record<Unfit, Status>> = {
  "bare-newline": status(550, "6.0", "Message refused: it has a bare CR or LF"),
  "line-too-long": status(550, "6.0", "Message refused: it has a line that is too long"),
  "too-big": status(552, "3.4", "Message is too big"),
};

/** Where the reader stands in a line. */
const LINE_START = 0;
const IN_LINE = 1;
const AFTER_CR = 2;
/** A dot opens the line: it goes, or ends the message. */
const AFTER_DOT = 3;
const AFTER_DOT_CR = 4;

const CR = 13;
const LF = 10;
const DOT = 46;
const CRLF = Buffer.from("\r\n");
const LF_ALONE = CRLF.subarray(1);

/** What is done about a bare CR or LF in a message: "reject" it, or "normalize" each to CRLF. */
export type BareNewlines = "reject" | "normalize";

export class MessageReader {
  /** The first thing wrong with the message; its content counts for nothing from there on. */
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
   * Reads `chunk`, hands the content to `emit` in pieces that share its memory, and returns the offset behind
   * the end of the message, or -1 when the message goes on in the next chunk.
   */
  read(chunk: Buffer, emit: (piece: Buffer) => void): number {
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
          // Nothing is left to emit: the dot and its CR belong to the end, here or in the chunk before.
          this.#state = LINE_START;
          this.#lineLength = 0;
          return i + 1;
        }
        // A dot behind a bare LF must not end the message, so only CRLF leads to a line start.
        if (state !== AFTER_CR) from = this.#bare(CRLF, chunk, from, i, i + 1, emit);
        state = state === AFTER_CR ? LINE_START : IN_LINE;
        lineLength = 0;
        continue;
      }
      if (state === AFTER_CR || state === AFTER_DOT_CR) {
        // The CR is in this chunk, or went out with the one before, or was held back there.
        const rest = i === 0 && state === AFTER_DOT_CR ? CRLF : LF_ALONE;
        from = this.#bare(rest, chunk, from, i, i, emit);
        if (this.#mends) lineLength = 0;
      }
      lineLength++;
      if (state === LINE_START && byte === DOT) {
        this.#emit(chunk, from, i, emit);
        from = i + 1;
        state = AFTER_DOT;
      } else if (byte === CR) {
        state = state === AFTER_DOT ? AFTER_DOT_CR : AFTER_CR;
      } else {
        state = IN_LINE;
      }
      if (lineLength > this.#lineMax) this.unfit ??= "line-too-long";
    }
    // ".CR" may be the end: its CR waits for the next chunk, which either ends the message or makes it unfit.
    this.#emit(chunk, from, chunk.length - (state === AFTER_DOT_CR ? 1 : 0), emit);
    this.#state = state;
    this.#lineLength = lineLength;
    return -1;
  }

  /** A bare CR or LF before `to`; gives the offset from which the content goes on. */
  #bare(
    mended: Buffer,
    chunk: Buffer,
    from: number,
    to: number,
    next: number,
    emit: (piece: Buffer) => void,
  ): number {
    if (!this.#mends) {
      this.unfit ??= "bare-newline";
      return from;
    }
    this.#emit(chunk, from, to, emit);
    this.#emit(mended, 0, mended.length, emit);
    return next;
  }

  #emit(chunk: Buffer, from: number, to: number, emit: (piece: Buffer) => void): void {
    if (to <= from) return;
    this.size += to - from;
    if (this.size > this.#sizeMax) this.unfit ??= "too-big";
    if (this.unfit === undefined) emit(chunk.subarray(from, to));
  }
}

/** Finds CR and LF. Each search goes on where the one before ended: no byte is looked at twice for either. */
class LineEnds {
  readonly #text: string;
  #cr = -1;
  #lf = -1;

  constructor(chunk: Buffer) {
    this.#text = chunk.toString("latin1");
  }

  /** The offset of the first CR or LF from `from` on, or of the end. To be asked in ascending order. */
  next(from: number): number {
    if (this.#cr < from) this.#cr = this.#find("\r", from);
    if (this.#lf < from) this.#lf = this.#find("\n", from);
    return Math.min(this.#cr, this.#lf);
  }

  #find(character: string, from: number): number {
    const index = this.#text.indexOf(character, from);
    return index < 0 ? this.#text.length : index;
  }
}
