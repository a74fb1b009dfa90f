// Quoting of lines that begin with "From " in an mbox, as mboxrd has it: a writer puts ">" before each line of any number
// of ">" and "From ", and a reader takes one off. So every message comes back as it was.
//
// Messages come in pieces of any length, and lines are of any length: at most five octets wait for the next piece.

const LF = 0x0a;
const ARROW = 0x3e;
const FROM = Buffer.from("From ");

/** Adds or removes one ">" at the beginning of those lines. */
export class FromQuotes {
  readonly #adds: boolean;
  /** The first octet of `#rest`, or the next one, begins a line. */
  #isLineStart = true;
  /** Octets of which it is not known yet whether they are the beginning of such a line. */
  #rest = Buffer.alloc(0);

  constructor(direction: "add" | "remove") {
    this.#adds = direction === "add";
  }

  /** The pieces that are known now. */
  *push(piece: Buffer): Generator<Buffer> {
    const bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    let done = 0;
    for (let at = bytes.indexOf(FROM); at !== -1; at = bytes.indexOf(FROM, at + FROM.length)) {
      const start = startOfArrows(bytes, at, done);
      if (!this.#beginsLine(bytes, start)) continue;
      if (this.#adds) {
        if (at > done) yield bytes.subarray(done, at);
        yield ADDED;
        done = at;
      } else if (start < at) {
        if (start > done) yield bytes.subarray(done, start);
        done = start + 1;
      }
    }
    const wait = this.#waitFrom(bytes, done);
    if (wait > done) yield bytes.subarray(done, wait);
    this.#isLineStart = this.#startsAt(bytes, wait);
    this.#rest = Buffer.from(bytes.subarray(wait));
  }

  /** The rest, after the last piece. */
  end(): Buffer {
    return this.#rest;
  }

  #beginsLine(bytes: Buffer, at: number): boolean {
    return at === 0 ? this.#isLineStart : bytes[at - 1] === LF;
  }

  /** Where the octets begin that must wait: ">" once at most, and a part of "From ". */
  #waitFrom(bytes: Buffer, done: number): number {
    const tail = Math.max(done, bytes.length - FROM.length + 1);
    for (let at = tail; at <= bytes.length; at++) {
      if (!FROM.subarray(0, bytes.length - at).equals(bytes.subarray(at))) continue;
      const start = startOfArrows(bytes, at, done);
      if (!this.#beginsLine(bytes, start)) continue;
      return this.#adds || start === at ? at : at - 1;
    }
    return bytes.length;
  }

  /** What waits begins a line: ">" before it are the same as fewer of them. */
  #startsAt(bytes: Buffer, wait: number): boolean {
    return this.#beginsLine(bytes, startOfArrows(bytes, wait, 0));
  }
}

const ADDED = Buffer.of(ARROW);

/** The position of the first ">" of those that end before `at`. */
function startOfArrows(bytes: Buffer, at: number, least: number): number {
  let start = at;
  while (start > least && bytes[start - 1] === ARROW) start--;
  return start;
}
