// The bytes between 354 and CRLF.CRLF (RFC 5321 4.5.2), one state machine over single bytes, so that no
// segmentation of the stream can change its reading. Where nothing can change but the length of a line it jumps.
//
// Invariants: only CRLF ends a line and only CRLF.CRLF ends the message (RFC 5321 2.3.8, 4.1.1.4). A bare CR or
// a bare LF is never passed on. It makes the whole message unfit, which is then read to its true end and refused;
// or, where it is to be mended, it becomes CRLF in the content, and still neither ends a message nor begins a line
// in which a dot would count.

import { status, type Status } from "../../mail/status.ts";
import { Content, CRLF, LineEnds } from "./message-content.ts";

type Unfit = "bare-newline" | "line-too-long" | "too-big";

/** How a message that cannot be taken is refused. */
export const UNFIT: Readonly<Record<Unfit, Status>> = {
  "bare-newline": status(550, "6.0", "Message refused: it has a bare CR or LF"),
  "line-too-long": status(550, "6.0", "Message refused: it has a line that is too long"),
  "too-big": status(552, "3.4", "Message is too big"),
};

// Where the reader is in a line, and where each octet leads to. The test of this file has the same table.
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
   * Reads `chunk`, hands the content to `emit` in one piece that may share its memory, and returns the offset behind
   * the end of the message, or -1 when the message goes on in the next chunk.
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
          // Nothing is left to emit: the dot and its CR belong to the end, here or in the chunk before.
          this.#state = LINE_START;
          this.#lineLength = 0;
          return i + 1;
        }
        // A dot behind a bare LF must not end the message, so only CRLF leads to a line start.
        if (state !== AFTER_CR) from = this.#bare(CRLF, content, from, i, i + 1);
        state = state === AFTER_CR ? LINE_START : IN_LINE;
        lineLength = 0;
        continue;
      }
      if (state === AFTER_CR || state === AFTER_DOT_CR) {
        // The CR is in this chunk, or went out with the one before, or was held back there.
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
    // ".CR" may be the end: its CR waits for the next chunk, which either ends the message or makes it unfit.
    this.#keep(content, from, chunk.length - (state === AFTER_DOT_CR ? 1 : 0));
    this.#state = state;
    this.#lineLength = lineLength;
    return -1;
  }

  /** A bare CR or LF before `to`. Returns where the content resumes, which is `resumeAt` where it is mended. */
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
