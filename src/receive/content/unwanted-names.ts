// Finds fields with certain names in a part of a header section, and a field at its end that may not be complete.
// Most messages have none of them, and no other field is examined.

export class UnwantedNames {
  readonly #names: readonly string[];
  readonly #pattern: string;
  readonly #atStart: RegExp;

  /** `names` in lower case. */
  constructor(names: readonly string[]) {
    this.#names = names;
    this.#pattern = `(?:${names.map((name) => RegExp.escape(name)).join("|")})[ \\t]*`;
    this.#atStart = this.#field("(?<=^|\\r\\n)");
  }

  #field(behind: string): RegExp {
    return new RegExp(`${behind}${this.#pattern}(?:\\r\\n[ \\t]+)?:`, "gi");
  }

  /** The offsets of the fields, in ascending order. If `isInLine`, `part` begins in the middle of a line. */
  *starts(part: string, isInLine: boolean): Generator<number> {
    const pattern = isInLine ? this.#field("(?<=\\r\\n)") : this.#atStart;
    for (const { index } of part.matchAll(pattern)) yield index;
  }

  /**
   * The offset from which on `part` may be the beginning of such a field, or of a line; the length of `part` if it
   * contains no such beginning.
   */
  possibleStart(part: string, isInLine: boolean): number {
    const first = isInLine ? undefined : 0;
    const last = startOfLine(part, part.length, first);
    // The colon may come after a fold.
    const before = last === undefined ? undefined : startOfLine(part, last - 2, first);
    const begun = new RegExp(`^${this.#pattern}(?:\\r(?:\\n[ \\t]*)?)?$`, "i");
    for (const start of [before, last]) {
      if (start === undefined) continue;
      const rest = part.slice(start);
      if (begun.test(rest) || this.#isBegun(rest)) return start;
    }
    return part.endsWith("\r") ? part.length - 1 : part.length;
  }

  #isBegun(rest: string): boolean {
    return this.#names.some(
      (name) => rest.length <= name.length && name.startsWith(rest.toLowerCase()),
    );
  }
}

/** The start of the line with the octet before `end`. If no line begins in `part`, returns `first`. */
function startOfLine(part: string, end: number, first: number | undefined): number | undefined {
  if (end < 2) return first;
  const crlf = part.lastIndexOf("\r\n", end - 2);
  return crlf < 0 ? first : crlf + 2;
}
