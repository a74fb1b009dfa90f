// Reads a message or a list as POP3 sends it: lines, with a dot before each line that begins with one, up to a line that
// is a single dot (RFC 1939 3).

const LF = 0x0a;
const CR = 0x0d;
const DOT = 0x2e;
const EMPTY = Buffer.alloc(0);

export interface Read {
  /** The octets as they came, without those that are still undecided and without the last line. */
  readonly raw: Buffer;
  /** The same octets without the stuffed dots, in order. */
  readonly message: readonly Buffer[];
  /** Set when the last line has come: the line, and the octets after it. */
  readonly end?: { readonly line: Buffer; readonly rest: Buffer };
}

export class MessageReader {
  /** The beginning of a line that may be the last one: "." or ".\r". */
  #undecided = EMPTY;
  #isAtLine = true;

  read(chunk: Buffer): Read {
    const octets = this.#undecided.length === 0 ? chunk : Buffer.concat([this.#undecided, chunk]);
    this.#undecided = EMPTY;
    const message: Buffer[] = [];
    let from = 0;
    let at = this.#isAtLine && octets[0] === DOT ? 0 : afterLine(octets, 0);
    while (at < octets.length) {
      if (at > from) message.push(octets.subarray(from, at));
      const last = lastLineAt(octets, at);
      if (last === "undecided" || last > 0) return this.#stop(octets, at, message, last);
      from = at + 1;
      at = afterLine(octets, from);
    }
    if (from < octets.length) message.push(octets.subarray(from));
    if (octets.length > 0) this.#isAtLine = octets.at(-1) === LF;
    return { raw: octets, message };
  }

  #stop(octets: Buffer, at: number, message: readonly Buffer[], last: number | "undecided"): Read {
    const raw = octets.subarray(0, at);
    if (last === "undecided") {
      this.#undecided = Buffer.from(octets.subarray(at));
      this.#isAtLine = true;
      return { raw, message };
    }
    const line = octets.subarray(at, at + last);
    return { raw, message, end: { line, rest: octets.subarray(at + last) } };
  }
}

/** The place of the next line that begins with a dot, from `from` on; the length if there is none. */
function afterLine(octets: Buffer, from: number): number {
  const found = octets.indexOf("\n.", from, "latin1");
  return found === -1 ? octets.length : found + 1;
}

/** The length of the last line, which may begin at this dot; 0 if it is another line. */
function lastLineAt(octets: Buffer, at: number): number | "undecided" {
  const [next, after] = [octets[at + 1], octets[at + 2]];
  if (next === undefined) return "undecided";
  if (next === LF) return 2;
  if (next !== CR) return 0;
  if (after === undefined) return "undecided";
  return after === LF ? 3 : 0;
}
