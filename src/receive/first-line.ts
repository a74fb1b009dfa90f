// Where our Received header meets the first octets of a stranger's message.
//
// Invariant: nothing that the stranger writes is read as a part of our header field, and text without a header section
// is read as text. White space at the very beginning would continue our field (RFC 5322 2.2.3), and a line that is no
// field would be a broken header. Before either goes an empty line, as with Exim: that message has no header section
// that a signature could be about. A mailbox's "From " line passes as it is; mail readers know it.

/** RFC 5322 2.1.1: no line may be longer. A name that goes on so far is no name. */
const NAME_MAX = 998;
const CRLF = Buffer.from("\r\n");

/** An empty line, the name of a field with its colon, or the line that opens a message in an mbox file. */
const FITS = /^(?:\r\n|[!-9;-~]+[ \t]*:|>?From )/;
/** What may still become that. */
const MAY_FIT = /^(?:\r?|[!-9;-~]+[ \t]*)$/;

export class FirstLine {
  #isDecided = false;
  #held: Buffer | undefined;

  /** The bytes that may go on now, an empty line in front of the first where one has to be. */
  pass(piece: Buffer): Buffer | undefined {
    if (this.#isDecided) return piece;
    const bytes = this.#held === undefined ? piece : Buffer.concat([this.#held, piece]);
    const start = bytes.toString("latin1", 0, NAME_MAX);
    if (FITS.test(start)) return this.#decide(bytes);
    if (bytes.length >= NAME_MAX || !MAY_FIT.test(start)) {
      return this.#decide(Buffer.concat([CRLF, bytes]));
    }
    this.#held = bytes;
    return undefined;
  }

  /** What was still held back when the message ended: a line that is no field. */
  end(): Buffer | undefined {
    const held = this.#held;
    if (held === undefined || held.length === 0) return undefined;
    return this.#decide(Buffer.concat([CRLF, held]));
  }

  #decide(bytes: Buffer): Buffer {
    this.#isDecided = true;
    this.#held = undefined;
    return bytes;
  }
}
