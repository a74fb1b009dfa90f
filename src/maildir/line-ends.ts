// CRLF to LF, the line ends of a Maildir. Only the pair is a line end: a bare CR or LF is passed on
// as it is, so that LF to CRLF gives back the bytes that DKIM signed.

const CR = 0x0d;
const LF = 0x0a;

/** Writes `input` with LF line ends to `output`, from `at` on, and returns the end. `output` must have room for `input`. */
export function writeWithLf(input: Buffer, output: Buffer, at: number): number {
  let copied = 0;
  let end = at;
  for (let cr = input.indexOf(CR); cr !== -1; cr = input.indexOf(CR, cr + 1)) {
    if (input[cr + 1] !== LF) continue;
    end += input.copy(output, end, copied, cr);
    copied = cr + 1;
  }
  return end + input.copy(output, end, copied);
}

/** The same for bytes that come in pieces: a CR at the end of a piece is held back until the next piece comes. */
export class LfStream {
  #heldCr = false;
  #output = Buffer.alloc(0);

  /** The result is valid until the next call: all pieces of a stream share its memory. */
  convert(piece: Buffer): Buffer {
    if (piece.length === 0) return piece;
    if (this.#output.length <= piece.length) this.#output = Buffer.allocUnsafe(piece.length + 1);
    const output = this.#output;
    let at = 0;
    if (this.#heldCr && piece[0] !== LF) at = output.writeUInt8(CR, at);
    this.#heldCr = piece.at(-1) === CR;
    const whole = this.#heldCr ? piece.subarray(0, -1) : piece;
    return output.subarray(0, writeWithLf(whole, output, at));
  }

  /** The rest, after the last piece has been converted. */
  end(): Buffer {
    return this.#heldCr ? Buffer.of(CR) : Buffer.alloc(0);
  }
}
