// The content of a message, chunk by chunk, for the reader of messages: the octets of a chunk that are kept, and the
// search for its line ends.
//
// Invariant: each octet is searched once for CR and once for LF, and is copied at most once.

export const CRLF = Buffer.from("\r\n");

/** Octets. Up to this length, a loop copies faster than a call. */
const SHORT = 64;

/** The octets of a chunk that are content. They are one piece in the end, whatever was cut out between them. */
export class Content {
  readonly #chunk: Buffer;
  readonly #growth: number;
  #from = 0;
  #to = 0;
  /** Holds the content instead of the range, once one range is not enough. */
  #copy: Buffer | undefined;
  #length = 0;

  constructor(chunk: Buffer, mends: boolean) {
    this.#chunk = chunk;
    this.#growth = mends ? 2 : 1;
  }

  /** The content so far. Undefined if it is empty. */
  get taken(): Buffer | undefined {
    if (this.#copy !== undefined) return this.#copy.subarray(0, this.#length);
    return this.#to > this.#from ? this.#chunk.subarray(this.#from, this.#to) : undefined;
  }

  take(from: number, to: number): void {
    if (this.#copy !== undefined) this.#append(this.#copy, this.#chunk, from, to);
    else if (this.#to === this.#from) [this.#from, this.#to] = [from, to];
    else this.#append(this.#copied(), this.#chunk, from, to);
  }

  /** Adds octets that are not in the chunk. */
  put(octets: Buffer): void {
    this.#append(this.#copied(), octets, 0, octets.length);
  }

  #copied(): Buffer {
    if (this.#copy !== undefined) return this.#copy;
    // A CR held back from the chunk before adds up to two octets (CRLF).
    const copy = Buffer.allocUnsafe(this.#growth * this.#chunk.length + CRLF.length);
    this.#append(copy, this.#chunk, this.#from, this.#to);
    return (this.#copy = copy);
  }

  #append(copy: Buffer, octets: Buffer, from: number, to: number): void {
    let at = this.#length;
    this.#length += to - from;
    if (to - from > SHORT) octets.copy(copy, at, from, to);
    else for (let i = from; i < to; i++) copy[at++] = octets[i] ?? 0;
  }
}

/** Finds CR and LF. Each search goes on where the one before ended, so no byte is searched twice for either. */
export class LineEnds {
  readonly #text: string;
  #cr = -1;
  #lf = -1;

  constructor(chunk: Buffer) {
    this.#text = chunk.toString("latin1");
  }

  /** Returns the offset of the first CR or LF from `from` on, or of the end. Calls must have ascending `from`. */
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
