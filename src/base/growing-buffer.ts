// Collects bytes that arrive in pieces and are needed as one buffer. The buffer grows by doubling, up to a maximum. So
// input that arrives byte by byte costs no more than input that arrives at once. The pieces themselves are not kept.

export class GrowingBuffer {
  length = 0;
  #bytes = Buffer.alloc(0);
  readonly #max: number;

  /** Beyond `max` octets, no more than the present content is allocated. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Octets that are allocated. */
  get capacity(): number {
    return this.#bytes.length;
  }

  append(piece: Buffer): void {
    const length = this.length + piece.length;
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(
        Math.max(length, Math.min(Math.max(4096, 2 * length), this.#max)),
      );
      this.#bytes.copy(larger, 0, 0, this.length);
      this.#bytes = larger;
    }
    piece.copy(this.#bytes, this.length);
    this.length = length;
  }

  /** Returns all bytes and leaves this empty. */
  take(): Buffer {
    const bytes = this.#bytes.subarray(0, this.length);
    this.#bytes = Buffer.alloc(0);
    this.length = 0;
    return bytes;
  }
}
