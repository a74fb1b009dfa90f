// The dot in front of a line that begins with one, and the dot that ends the message (RFC 5321 4.5.2).
//
// Invariants:
// - Nothing else in the message changes.
// - A chunk without a dot to stuff is passed on uncopied.
// - The result does not depend on how the message is cut into chunks.
// - Only CRLF counts as a line end. Reception lets no other line end through.

const CR = 0x0d;
const LF = 0x0a;
const DOT = 0x2e;

const LINE_AND_DOT = Buffer.from("\r\n.");
const EXTRA_DOT = Buffer.from(".");
const END = Buffer.from(".\r\n");
const LINE_END_AND_END = Buffer.from("\r\n.\r\n");

/** Stuffs one message, chunk by chunk. */
export class DotStuffer {
  /** The last two bytes so far. The initial CRLF makes the message begin at a line start. */
  #beforeLast = CR;
  #last = LF;

  /** The chunk as it goes on the wire. */
  stuff(chunk: Buffer): Buffer {
    if (chunk.length === 0) return chunk;
    const pieces: Buffer[] = [];
    let start = 0;
    for (let dot = this.#firstDot(chunk); dot >= 0; dot = dotAfter(chunk, dot)) {
      pieces.push(chunk.subarray(start, dot), EXTRA_DOT);
      start = dot;
    }
    this.#remember(chunk);
    if (start === 0 && pieces.length === 0) return chunk;
    pieces.push(chunk.subarray(start));
    return Buffer.concat(pieces);
  }

  /** Returns the end of the message: a dot and CRLF, after a CRLF if the message does not end with one. */
  end(): Buffer {
    return this.#last === LF && this.#beforeLast === CR ? END : LINE_END_AND_END;
  }

  /** The first dot at the beginning of a line, where the line may have begun in an earlier chunk. */
  #firstDot(chunk: Buffer): number {
    if (chunk[0] === DOT && this.#last === LF && this.#beforeLast === CR) return 0;
    if (chunk[0] === LF && chunk[1] === DOT && this.#last === CR) return 1;
    return dotAfter(chunk, 0);
  }

  #remember(chunk: Buffer): void {
    this.#beforeLast = chunk.at(-2) ?? this.#last;
    this.#last = chunk.at(-1) ?? this.#last;
  }
}

/** The next dot at the beginning of a line that begins in this chunk, or -1. */
function dotAfter(chunk: Buffer, from: number): number {
  const found = chunk.indexOf(LINE_AND_DOT, from);
  return found < 0 ? -1 : found + 2;
}
