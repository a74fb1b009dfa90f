// Cuts an mbox into its messages while it streams by. A message begins with a From_ line: at the beginning of the file, or
// after an empty line and of the right form. Content-Length, which some mboxes have, is not believed: a sender could hide
// the messages behind its own with it.
//
// Invariant: memory does not depend on the length of a message, of a line or of the file.

import { FROM_LINE_MAX, type FromLine, looseFromLine, parseFromLine } from "./from-line.ts";
import { FromQuotes } from "./from-quotes.ts";

export type MboxEvent =
  /** A message begins. `at` is the offset of its From_ line in the file. */
  | {
      readonly kind: "from";
      readonly line: FromLine;
      readonly isCrlf: boolean;
      readonly at: number;
    }
  /** Content of the message that began last. */
  | { readonly kind: "bytes"; readonly bytes: Buffer };

/** The file does not begin with a From_ line. */
export class NoMbox extends Error {}

const LF = 0x0a;
const CR = 0x0d;
const FROM = Buffer.from("From ");
/** The octets of two line ends: they are content only if no From_ line follows. */
const ENDS_MAX = 4;

export class MboxReader {
  /** Octets that no event has told yet. */
  #bytes: Buffer = Buffer.alloc(0);
  /** The offset of `#bytes` in the file. */
  #offset = 0;
  #message: { readonly line: FromLine; readonly quotes: FromQuotes } | undefined;
  /** All content of the message so far is in `#bytes`. */
  #isWhole = false;
  /** Before this position of `#bytes` there is no From_ line. */
  #searched = 0;

  /** Throws NoMbox. */
  *push(chunk: Buffer): Generator<MboxEvent> {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    if (this.#message === undefined && !(yield* this.#first(false))) return;
    yield* this.#scan(false);
  }

  /** After the last piece. Throws NoMbox. */
  *end(): Generator<MboxEvent> {
    if (this.#message === undefined && !(yield* this.#first(true))) return;
    yield* this.#scan(true);
    yield* this.#endMessage(this.#bytes.length, true);
  }

  /** The line at the beginning of the file. False: it is not there yet, or the file is empty. */
  *#first(isEnd: boolean): Generator<MboxEvent, boolean> {
    const known = Math.min(FROM.length, this.#bytes.length);
    if (!this.#bytes.subarray(0, known).equals(FROM.subarray(0, known))) throw new NoMbox();
    const end = this.#bytes.indexOf(LF);
    if (end === -1 && !isEnd && this.#bytes.length < FROM_LINE_MAX) return false;
    if (this.#bytes.length === 0) return false;
    if (known < FROM.length || (end === -1 && !isEnd) || end > FROM_LINE_MAX) throw new NoMbox();
    yield this.#begin(0, end === -1 ? this.#bytes.length : end + 1, true);
    return true;
  }

  *#scan(isEnd: boolean): Generator<MboxEvent> {
    for (;;) {
      const at = this.#bytes.indexOf(FROM, this.#searched);
      if (at === -1) break;
      const content = this.#contentBefore(at);
      if (content !== undefined) {
        const end = this.#bytes.indexOf(LF, at);
        const isCut = end === -1 && !isEnd && this.#bytes.length - at < FROM_LINE_MAX;
        if (isCut) return yield* this.#tell(at - ENDS_MAX, at);
        const lineEnd = end === -1 ? this.#bytes.length : end + 1;
        if (this.#lineAt(at, lineEnd) !== undefined) {
          yield* this.#endMessage(content, false);
          yield this.#begin(at - content, lineEnd - content, false);
          continue;
        }
      }
      this.#searched = at + FROM.length;
    }
    const rest = this.#bytes.length - FROM.length + 1;
    yield* this.#tell(rest - ENDS_MAX, rest);
  }

  /** The content before `to` is told, and the search goes on at `next`. */
  *#tell(to: number, next: number): Generator<MboxEvent> {
    const told = Math.max(0, to);
    yield* this.#content(told);
    this.#searched = Math.max(0, next - told);
  }

  /** Where the content ends if `at` begins a line after an empty one; undefined if it does not. */
  #contentBefore(at: number): number | undefined {
    const empty = this.#lineEndBefore(at);
    if (empty === undefined) return undefined;
    return (this.#isWhole && empty === 0) || this.#lineEndBefore(empty) !== undefined
      ? empty
      : undefined;
  }

  /** The position of the line end, LF or CR LF, that ends at `at`. */
  #lineEndBefore(at: number): number | undefined {
    if (at < 1 || this.#bytes[at - 1] !== LF) return undefined;
    return at > 1 && this.#bytes[at - 2] === CR ? at - 2 : at - 1;
  }

  #lineAt(at: number, end: number): FromLine | undefined {
    if (end - at > FROM_LINE_MAX) return undefined;
    return parseFromLine(this.#bytes.toString("latin1", at, end));
  }

  /** Takes the From_ line, and all that is before it, from `#bytes`. */
  #begin(at: number, end: number, isLoose: boolean): MboxEvent {
    const text = this.#bytes.toString("latin1", at, end);
    const line = parseFromLine(text) ?? (isLoose ? looseFromLine(text) : undefined);
    if (line === undefined) throw new Error("no From_ line where one was found");
    const event = {
      kind: "from",
      line,
      isCrlf: text.endsWith("\r\n"),
      at: this.#offset + at,
    } as const;
    this.#take(end);
    this.#message = { line, quotes: new FromQuotes("remove") };
    this.#isWhole = true;
    this.#searched = 0;
    return event;
  }

  /** The content ends at `to`, before the empty line, and what is not content stays in `#bytes`. */
  *#endMessage(to: number, isFileEnd: boolean): Generator<MboxEvent> {
    let end = to;
    if (isFileEnd) {
      const last = this.#lineEndBefore(end);
      const isEmptyLine =
        last !== undefined &&
        ((this.#isWhole && last === 0) || this.#lineEndBefore(last) !== undefined);
      if (isEmptyLine) end = last;
    }
    if (this.#message?.line.isUnended === true && this.#bytes[end - 1] === LF) end -= 1;
    const left = this.#bytes.subarray(to);
    yield* this.#content(end);
    const rest = this.#message?.quotes.end();
    if (rest !== undefined && rest.length > 0) yield { kind: "bytes", bytes: rest };
    this.#offset += to - end;
    this.#bytes = left;
  }

  *#content(to: number): Generator<MboxEvent> {
    if (to === 0) return;
    const bytes = this.#take(to);
    this.#isWhole = false;
    for (const piece of this.#message?.quotes.push(bytes) ?? []) {
      yield { kind: "bytes", bytes: piece };
    }
  }

  #take(to: number): Buffer {
    const taken = this.#bytes.subarray(0, to);
    this.#bytes = this.#bytes.subarray(to);
    this.#offset += to;
    return taken;
  }
}
