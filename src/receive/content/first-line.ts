// Where our Received header meets the first octets of a stranger's message.
//
// Invariant: nothing that the stranger writes is read as a part of our header field, and text without a header section
// is read as text. White space at the very beginning would continue our field (RFC 5322 2.2.3), and a line that is no
// field would be a broken header. Before either goes an empty line, as with Exim: that message has no header section
// that a signature could be about. A mailbox's "From " line passes as it is; mail readers know it. Whoever looks at the
// message reads it behind this, and so nobody is of another opinion about where its header section ends.

import { GrowingBuffer } from "../../base/growing-buffer.ts";

/** Octets that are held. A name that goes on so far is no name. */
const NAME_MAX = 32 * 1024;
const EMPTY = Buffer.alloc(0);
const CRLF = Buffer.from("\r\n");

/** An empty line, the name of a field with its colon, or the line that opens a message in an mbox file. */
const FITS = /^(?:\r\n|[!-9;-~]+[ \t]*:|>?From )/;
/** What may still become that. */
const MAY_FIT = /^(?:\r?|[!-9;-~]+[ \t]*)$/;
/** Longer than the "From " line's: how much longer makes no difference. */
const LONG_NAME = /^[!-9;-~]{7,}/;
const MORE_BLANKS = /(?<=[ \t])[ \t]+$/;

export class FirstLine {
  #isDecided = false;
  readonly #held = new GrowingBuffer(NAME_MAX);
  /** What is held, shortened to what matters of it: a line in pieces is no more work than one that is whole. */
  #start = "";

  /** The bytes that may go on now, an empty line in front of the first where one has to be. */
  pass(piece: Buffer): Buffer | undefined {
    if (this.#isDecided) return piece;
    const room = NAME_MAX - this.#held.length;
    const start = this.#start + piece.toString("latin1", 0, room);
    if (FITS.test(start)) return this.#decide(piece);
    if (piece.length >= room || !MAY_FIT.test(start)) return this.#decide(piece, CRLF);
    this.#held.append(piece);
    this.#start = start.replace(LONG_NAME, "long-name").replace(MORE_BLANKS, "");
    return undefined;
  }

  /** What was still held back when the message ended: a line that is no field. */
  end(): Buffer | undefined {
    return this.#held.length === 0 ? undefined : this.#decide(EMPTY, CRLF);
  }

  #decide(piece: Buffer, inFront = EMPTY): Buffer {
    this.#isDecided = true;
    const held = this.#held.take();
    return held.length + inFront.length === 0 ? piece : Buffer.concat([inFront, held, piece]);
  }
}
