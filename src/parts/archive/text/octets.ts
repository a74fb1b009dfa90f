// The octets of an open file, read through a window in memory. A small file is read once, whole.
//
// Invariant: memory stays at a few windows, whatever the size of the file.

import fs from "node:fs";

const WINDOW = 1 << 20;
const space = Buffer.allocUnsafeSlow(WINDOW);

export class Octets {
  readonly length: number;
  readonly #file: number | undefined;
  #held: Buffer;
  #text: string;
  #start = 0;

  /** `file` is a descriptor. The file's present length counts, whatever is written to it later. */
  constructor(source: { readonly file: number; readonly length: number } | Buffer) {
    this.#held = Buffer.alloc(0);
    this.#text = "";
    if (Buffer.isBuffer(source)) {
      this.#file = undefined;
      this.length = source.length;
      this.#hold(source, 0);
    } else {
      this.#file = source.file;
      this.length = source.length;
    }
  }

  /** A view that is valid until the next call of any method. */
  bytes(start: number, end: number): Buffer {
    const last = Math.min(end, this.length);
    if (start < this.#start || last > this.#start + this.#held.length) this.#read(start, last);
    return this.#held.subarray(start - this.#start, last - this.#start);
  }

  /** The same with one character for each octet. */
  text(start: number, end: number): string {
    const last = Math.min(end, this.length);
    if (start < this.#start || last > this.#start + this.#held.length) this.#read(start, last);
    return this.#text.slice(start - this.#start, last - this.#start);
  }

  /** The first position of an ASCII pattern from `start` on, or -1. */
  indexOf(pattern: string, start: number): number {
    for (let at = start; at < this.length;) {
      const end = Math.min(at + WINDOW, this.length);
      if (at < this.#start || at >= this.#start + this.#held.length) this.#read(at, end);
      const found = this.#text.indexOf(pattern, at - this.#start);
      if (found >= 0) return this.#start + found;
      const heldTo = this.#start + this.#held.length;
      if (heldTo >= this.length) return -1;
      // The pattern may begin in this window and end in the next.
      at = Math.max(at + 1, heldTo - pattern.length + 1);
      if (at + pattern.length > heldTo) this.#read(at, Math.min(at + WINDOW, this.length));
    }
    return -1;
  }

  #read(start: number, end: number): void {
    if (this.#file === undefined) return;
    const length = Math.min(Math.max(end - start, WINDOW), this.length - start);
    const into = length <= WINDOW ? space : Buffer.allocUnsafeSlow(length);
    let read = 0;
    while (read < length) {
      const count = fs.readSync(this.#file, into, read, length - read, start + read);
      if (count === 0) break;
      read += count;
    }
    // A file that has become shorter meanwhile reads as zeros there, so that every position stays valid.
    into.fill(0, read, length);
    this.#hold(into.subarray(0, length), start);
  }

  #hold(bytes: Buffer, start: number): void {
    this.#held = bytes;
    this.#text = bytes.toString("latin1");
    this.#start = start;
  }
}
