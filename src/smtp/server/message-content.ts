// The content of a message, chunk by chunk, for the reader of messages: what of a chunk is kept, and where its lines end.
//
// Invariant: an octet is looked at once for CR and once for LF, and is copied once at most.

export const CRLF = Buffer.from("\r\n");

/** Below that, a loop is faster than a call. */
const SHORT = 64;

/** What is left of a chunk. However many cuts there are in it, it goes on in one piece. */
export class Content {
  readonly #chunk: Buffer;
  readonly #growth: number;
  #from = 0;
  #to = 0;
  /** In the place of the range, once there is more than one. */
  #copy: Buffer | undefined;
  #length = 0;

  constructor(chunk: Buffer, mends: boolean) {
    this.#chunk = chunk;
    this.#growth = mends ? 2 : 1;
  }

  /** Undefined when there is nothing. */
  get taken(): Buffer | undefined {
    if (this.#copy !== undefined) return this.#copy.subarray(0, this.#length);
    return this.#to > this.#from ? this.#chunk.subarray(this.#from, this.#to) : undefined;
  }

  take(from: number, to: number): void {
    if (this.#copy !== undefined) this.#append(this.#copy, this.#chunk, from, to);
    else if (this.#to === this.#from) [this.#from, this.#to] = [from, to];
    else this.#append(this.#copied(), this.#chunk, from, to);
  }

  /** Octets that are not of the chunk. */
  put(octets: Buffer): void {
    this.#append(this.#copied(), octets, 0, octets.length);
  }

  #copied(): Buffer {
    if (this.#copy !== undefined) return this.#copy;
    // What was held back of the chunk before may come on top.
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

/** Finds CR and LF. Each search goes on where the one before ended: no byte is looked at twice for either. */
export class LineEnds {
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
