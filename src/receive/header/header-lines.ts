// Reads the lines of a header section from pieces of any size: the end of the section, and the hops in it.

const RECEIVED = /^received[ \t]*:/i;

/** Characters of a line that decide which field it begins. */
const LINE_START_MAX = 64;
const LF = 10;
const CR = 13;
const CAPITAL_R = 82;
const SMALL_R = 114;

export class HeaderLines {
  /** Received fields so far. */
  hops = 0;
  /** Octets before the empty line; undefined until it has come. */
  sectionLength: number | undefined;
  /** Octets read so far. */
  length = 0;
  /** The beginning of the current line, and its offset in the message. */
  #start = "";
  #startAt = 0;

  read(piece: Buffer): void {
    for (let from = 0; from < piece.length && this.sectionLength === undefined;) {
      const lf = piece.indexOf(LF, from);
      const to = lf < 0 ? piece.length : lf + 1;
      const wanted = LINE_START_MAX - this.#start.length;
      const isLine = lf >= 0 && this.length === this.#startAt;
      if (wanted > 0 && !(isLine && isDull(piece[from]))) {
        this.#start += piece.toString("latin1", from, Math.min(to, from + wanted));
      }
      this.length += to - from;
      from = to;
      if (lf >= 0) this.#endLine();
    }
  }

  #endLine(): void {
    if (this.#start === "\r\n") this.sectionLength = this.#startAt;
    else if (RECEIVED.test(this.#start)) this.hops++;
    this.#start = "";
    this.#startAt = this.length;
  }
}

/** Whether a line that begins with this octet is neither empty nor a Received field. */
function isDull(byte: number | undefined): boolean {
  return byte !== CR && byte !== CAPITAL_R && byte !== SMALL_R;
}
