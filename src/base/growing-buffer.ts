// Bytes that come in pieces and are wanted together. Grows by doubling, up to a most: what comes byte by byte costs no
// more than what comes at once, and no piece is kept.

export class GrowingBuffer {
  length = 0;
  #bytes = Buffer.alloc(0);
  readonly #max: number;

  /** Beyond `max` octets nothing is allocated ahead. */
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

  /** All of it; nothing is left. */
  take(): Buffer {
    const bytes = this.#bytes.subarray(0, this.length);
    this.#bytes = Buffer.alloc(0);
    this.length = 0;
    return bytes;
  }
}
