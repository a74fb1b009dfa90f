// Undoes the content transfer encoding of a part that is read piece by piece.
//
// Invariant: at most one line, or 64 KiB, is held between two pieces.

import { decodeBase64, decodeTransfer } from "./transfer.ts";

const LINE_MAX = 1 << 16;
const LF = 10;

export class TransferDecoder {
  readonly #encoding: string;
  #rest: Buffer = Buffer.alloc(0);

  /** An unknown encoding leaves the octets as they are. */
  constructor(encoding: string) {
    this.#encoding = encoding;
  }

  /** A view of `piece`, or new octets. */
  push(piece: Buffer): Buffer {
    if (this.#encoding === "base64") return this.#base64(piece);
    if (this.#encoding !== "quoted-printable") return piece;
    const text = Buffer.concat([this.#rest, piece]);
    const lineEnd = text.lastIndexOf(LF) + 1;
    const end = lineEnd > 0 || text.length < LINE_MAX ? lineEnd : endWithoutEscape(text);
    this.#rest = Buffer.from(text.subarray(end));
    return decodeTransfer(text.subarray(0, end), this.#encoding);
  }

  /** The octets after the last piece. */
  end(): Buffer {
    return decodeTransfer(this.#rest, this.#encoding);
  }

  #base64(piece: Buffer): Buffer {
    const text = (this.#rest.toString("latin1") + piece.toString("latin1")).replaceAll(
      /[^A-Za-z0-9+/=]/g,
      "",
    );
    const whole = text.length - (text.length % 4);
    this.#rest = Buffer.from(text.slice(whole), "latin1");
    return decodeBase64(text.slice(0, whole));
  }
}

/** An escape of three characters at the end is left for the next piece. */
function endWithoutEscape(text: Buffer): number {
  const escape = text.indexOf("=", text.length - 2);
  return escape < 0 ? text.length : escape;
}
