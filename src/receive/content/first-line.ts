// The border between our Received header and the first octets of a stranger's message.
//
// Invariants:
// - No text of the stranger is read as a part of our header field, and text without a header section is read as text.
//   White space at the very beginning would continue our field (RFC 5322 2.2.3). A line that is not a field would
//   break the header.
// - In both cases an empty line goes in front, as in Exim. Such a message has no header section that a signature
//   could cover.
// - A mailbox's "From " line passes as it is: mail readers know it.
// - All readers of the message in the relay see it after this step, so they agree on the end of its header section.

import { GrowingBuffer } from "../../base/growing-buffer.ts";

/** Octets that are held. A longer name is not a field name. */
const NAME_MAX = 32 * 1024;
const EMPTY = Buffer.alloc(0);
const CRLF = Buffer.from("\r\n");

/**
 * A valid beginning: an empty line, the name of a field with its colon, or the line that opens a message in an mbox
 * file.
 */
const FITS = /^(?:\r\n|[!-9;-~]+[ \t]*:|>?From )/;
/** The beginning of a valid beginning. */
const MAY_FIT = /^(?:\r?|[!-9;-~]+[ \t]*)$/;
/** A name longer than the one of the "From " line: its exact length does not matter. */
const LONG_NAME = /^[!-9;-~]{7,}/;
const MORE_BLANKS = /(?<=[ \t])[ \t]+$/;

export class FirstLine {
  #isDecided = false;
  readonly #held = new GrowingBuffer(NAME_MAX);
  /** The held octets, shortened to the part that matters, so that a line in pieces costs no more than a whole one. */
  #start = "";

  /** Returns the octets that may go on now, with an empty line in front if one is needed. */
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

  /** Returns the octets that were still held back when the message ended: a line that is not a field. */
  end(): Buffer | undefined {
    return this.#held.length === 0 ? undefined : this.#decide(EMPTY, CRLF);
  }

  #decide(piece: Buffer, inFront = EMPTY): Buffer {
    this.#isDecided = true;
    const held = this.#held.take();
    return held.length + inFront.length === 0 ? piece : Buffer.concat([inFront, held, piece]);
  }
}
