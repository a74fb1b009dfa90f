// The header section of a message, for code that judges the message by it. It is read once, in time proportional to its
// length, whatever a client has put there.
//
// Invariant: everything that a mail reader may take for a field is a field here. Anything else makes the section
// malformed.

/** One field with its folded lines (RFC 5322 2.2). */
export interface Field {
  /** Lower case, without the blanks before the colon; "" for lines without a field name. */
  readonly name: string;
  /** The name is written as RFC 5322 demands. */
  readonly wellFormed: boolean;
  /** The text after the colon, unfolded, one character for each octet. */
  readonly value: string;
  /** The original octets, including the final CRLF. */
  readonly bytes: Buffer;
}

const NAME = /^([!-9;-~]+)[ \t]*:/;
/** A name that a lenient reader could still accept: its colon comes after a fold, or it contains odd octets. */
const LENIENT_NAME = /^([^:]*):/;

/** Honest messages have fewer. */
const FIELDS_MAX = 10_000;

/** Returns the fields in order, or undefined when there are more than FIELDS_MAX. */
export function parseHeaderFields(section: Buffer): readonly Field[] | undefined {
  const text = section.toString("latin1");
  const fields: Field[] = [];
  for (const [start, end] of fieldRanges(text)) {
    if (fields.length === FIELDS_MAX) return undefined;
    fields.push(new Range(section, text, start, end));
  }
  return fields;
}

/** Cuts a field out only when it is read, because most fields are never read. */
class Range implements Field {
  readonly name: string;
  readonly wellFormed: boolean;
  readonly #section: Buffer;
  readonly #text: string;
  readonly #start: number;
  readonly #end: number;

  constructor(section: Buffer, text: string, start: number, end: number) {
    this.#section = section;
    this.#text = text;
    this.#start = start;
    this.#end = end;
    const raw = text.slice(start, end);
    const strict = NAME.exec(raw);
    this.wellFormed = strict !== null;
    this.name = ((strict ?? LENIENT_NAME.exec(raw))?.[1] ?? "").trim().toLowerCase();
  }

  get value(): string {
    const raw = this.#text.slice(this.#start, this.#end);
    return raw
      .slice(raw.indexOf(":") + 1)
      .replaceAll("\r\n", "")
      .trim();
  }

  get bytes(): Buffer {
    return this.#section.subarray(this.#start, this.#end);
  }
}

function* fieldRanges(section: string): Generator<readonly [number, number]> {
  for (let start = 0, end = 0; start < section.length; start = end) {
    end = endOfField(section, start);
    yield [start, end];
  }
}

/** The position after the CRLF of the field's last folded line (RFC 5322 2.2). */
export function endOfField(section: string, start: number): number {
  let end = start;
  do {
    const line = section.indexOf("\r\n", end);
    end = line < 0 ? section.length : line + 2;
  } while (section[end] === " " || section[end] === "\t");
  return end;
}
