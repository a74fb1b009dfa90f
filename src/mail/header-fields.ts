// The header section of a message, as those need it who judge a message by it. Read once, in a time that grows with
// its length and no faster, whatever a stranger has put there.
//
// Invariant: what a reader of mail may take for a field is a field here; what is none makes the section malformed.

/** One field with its folded lines (RFC 5322 2.2). */
export interface Field {
  /** Lower case, without the blanks before the colon; "" for lines that are no field. */
  readonly name: string;
  /** Its name is written as RFC 5322 has it. */
  readonly wellFormed: boolean;
  /** Behind the colon, unfolded, one character an octet. */
  readonly value: string;
  /** As it came, the CRLF at its end included. */
  readonly bytes: Buffer;
}

const NAME = /^([!-9;-~]+)[ \t]*:/;
/** A name that a lenient reader could still see: its colon stands behind a fold, or odd octets are in it. */
const LENIENT_NAME = /^([^:]*):/;

/** No honest message has more. */
const FIELDS_MAX = 10_000;

/** Undefined when there are too many to be looked at. */
export function parseHeaderFields(section: Buffer): readonly Field[] | undefined {
  const text = section.toString("latin1");
  const fields: Field[] = [];
  for (const [start, end] of fieldRanges(text)) {
    if (fields.length === FIELDS_MAX) return undefined;
    fields.push(new Range(section, text, start, end));
  }
  return fields;
}

/** Cut out when it is wanted: most fields are not. */
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

/** Behind the CRLF of the last of its folded lines (RFC 5322 2.2). */
export function endOfField(section: string, start: number): number {
  let end = start;
  do {
    const line = section.indexOf("\r\n", end);
    end = line < 0 ? section.length : line + 2;
  } while (section[end] === " " || section[end] === "\t");
  return end;
}
