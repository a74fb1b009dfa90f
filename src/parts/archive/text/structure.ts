// The parts of a message (RFC 2045, 2046): multiparts, and messages inside messages.
//
// Invariants: each line is looked at once, however deep the parts are nested, and nothing recurses. The end of a part is
// the next delimiter of any open multipart, as broken programs forget to close theirs. A multipart without delimiters
// is plain text.

import { type Fields, readHeader } from "./header.ts";
import { DEPTH, PARTS } from "./limits.ts";
import type { Octets } from "./octets.ts";
import { parseParameters, type Parameterized } from "./parameters.ts";

export interface Part {
  readonly fields: Fields;
  readonly type: Parameterized;
  readonly disposition: Parameterized;
  /** The content transfer encoding in lower case; "" for none. */
  readonly encoding: string;
  /** The innermost multipart/alternative around the part, as a value that is equal for all parts of it. */
  readonly alternative: object | undefined;
  /** The subtypes of all multiparts around the part inside its message: "mixed", "related". */
  readonly isRelated: boolean;
  readonly isDigest: boolean;
  readonly isReport: boolean;
}

/** A part without parts, and where its body is. */
export interface Leaf {
  readonly kind: "leaf";
  readonly part: Part;
  readonly octets: Octets;
  readonly start: number;
  readonly end: number;
}

/** A message begins: the whole, or one inside, which `part` describes. */
export interface MessageStart {
  readonly kind: "message";
  readonly fields: Fields;
  readonly part: Part | undefined;
  readonly start: number;
  /** Where it ends. To be asked before the next item is taken. */
  readonly end: () => number;
}

interface Frame {
  readonly boundary: string;
  readonly subtype: string;
  readonly alternative: object | undefined;
  readonly isRelated: boolean;
  /** Multiparts and messages around its parts. */
  readonly depth: number;
  /** The frame outside that has the same boundary. */
  readonly shadowed: Frame | undefined;
}

interface Delimiter {
  readonly frame: Frame;
  readonly isLast: boolean;
  /** Where the part before it ends. */
  readonly before: number;
  /** Where the next part begins. */
  readonly after: number;
}

/** RFC 2046 allows 70. */
const BOUNDARY_LENGTH = 250;
const ENCODED = new Set(["base64", "quoted-printable"]);
const MESSAGES = new Set(["message/rfc822", "message/global", "message/news"]);
const PLAIN = parseParameters("text/plain");

/** What the walks through one message and its encoded inner messages may still do. */
export interface Allowance {
  parts: number;
  /** False when a limit has been reached. */
  isWhole: boolean;
}

export const fullAllowance = (): Allowance => ({ parts: PARTS, isWhole: true });

export class Structure {
  readonly #octets: Octets;
  readonly #allowance: Allowance;
  readonly #frames: Frame[] = [];
  readonly #open = new Map<string, Frame>();
  #depth: number;

  /** `depth`: of messages around this one. */
  constructor(octets: Octets, allowance: Allowance, depth = 0) {
    this.#octets = octets;
    this.#allowance = allowance;
    this.#depth = depth;
  }

  /** All messages and leaves in their order, from the message that begins at `start`. */
  *items(start: number): Generator<Leaf | MessageStart, void, void> {
    const { length } = this.#octets;
    let at: number | undefined = start;
    let isMessage = true;
    let outer: Part | undefined;
    while (at !== undefined) {
      if (this.#allowance.parts-- <= 0) {
        this.#allowance.isWhole = false;
        return;
      }
      const header = readHeader(this.#octets, at, length);
      if (header.isCut) this.#allowance.isWhole = false;
      if (isMessage) yield this.#message(at, header.fields, outer);
      const part = this.#part(header.fields);
      isMessage = isPlainMessage(part) && this.#mayGoDeeper();
      if (isMessage) {
        outer = part;
        this.#depth++;
        at = header.bodyStart;
        continue;
      }
      const next = yield* this.#body(part, header.bodyStart);
      at = this.#nextPart(next);
    }
  }

  #message(start: number, fields: Fields, part: Part | undefined): MessageStart {
    const end = () => this.#delimiter(start)?.before ?? this.#octets.length;
    return { kind: "message", fields, part, start, end };
  }

  /** Yields a leaf, or opens a multipart. Returns the delimiter that follows. */
  *#body(part: Part, start: number): Generator<Leaf, Delimiter | undefined, void> {
    const frame = this.#frameOf(part);
    if (frame !== undefined) this.#push(frame);
    const next = this.#delimiter(start);
    if (frame !== undefined && next?.frame === frame) return next;
    if (frame !== undefined) this.#pop();
    const isMultipart = part.type.value.startsWith("multipart/");
    yield {
      kind: "leaf",
      part: isMultipart ? { ...part, type: PLAIN } : part,
      octets: this.#octets,
      start,
      end: next?.before ?? this.#octets.length,
    };
    return next;
  }

  /** Leaves the parts that a delimiter ends, and returns where the next part begins. */
  #nextPart(first: Delimiter | undefined): number | undefined {
    let next = first;
    while (next !== undefined) {
      while (this.#frames.at(-1) !== next.frame) this.#pop();
      this.#depth = next.frame.depth;
      if (!next.isLast) return next.after;
      this.#pop();
      next = this.#delimiter(next.after);
    }
    return undefined;
  }

  #part(fields: Fields): Part {
    const frame = this.#frames.at(-1);
    const isDigest = frame?.subtype === "digest";
    const type = fields["content-type"] ?? (isDigest ? "message/rfc822" : "text/plain");
    const encoding = fields["content-transfer-encoding"] ?? "";
    return {
      fields,
      type: parseParameters(type),
      disposition: parseParameters(fields["content-disposition"] ?? ""),
      encoding: encoding === "" ? "" : (/^[\w-]+/.exec(encoding)?.[0].toLowerCase() ?? ""),
      alternative: frame?.alternative,
      isRelated: frame?.isRelated ?? false,
      isDigest,
      isReport: frame?.subtype === "report",
    };
  }

  #mayGoDeeper(): boolean {
    const may = this.#depth < DEPTH;
    if (!may) this.#allowance.isWhole = false;
    return may;
  }

  #frameOf(part: Part): Frame | undefined {
    if (!part.type.value.startsWith("multipart/")) return undefined;
    const boundary = (
      part.type.octets.get("boundary") ??
      part.type.texts.get("boundary") ??
      ""
    ).trimEnd();
    if (boundary === "" || boundary.length > BOUNDARY_LENGTH || !this.#mayGoDeeper())
      return undefined;
    const subtype = part.type.value.slice("multipart/".length);
    return {
      boundary,
      subtype,
      alternative: subtype === "alternative" ? {} : part.alternative,
      isRelated: part.isRelated || subtype === "related",
      depth: this.#depth + 1,
      shadowed: this.#open.get(boundary),
    };
  }

  #push(frame: Frame): void {
    this.#frames.push(frame);
    this.#open.set(frame.boundary, frame);
  }

  #pop(): void {
    const frame = this.#frames.pop();
    if (frame === undefined) return;
    if (frame.shadowed === undefined) this.#open.delete(frame.boundary);
    else this.#open.set(frame.boundary, frame.shadowed);
  }

  /** The first delimiter of any open multipart from the line that begins at `start` on. */
  #delimiter(start: number): Delimiter | undefined {
    if (this.#frames.length === 0) return undefined;
    const isAtStart = this.#octets.text(start, start + 2) === "--";
    let line = isAtStart ? start : this.#octets.indexOf("\n--", start) + 1;
    while (line > 0) {
      const text = this.#octets.text(line + 2, line + 2 + BOUNDARY_LENGTH + 4);
      const lineEnd = text.indexOf("\n");
      const name = (lineEnd < 0 ? text : text.slice(0, lineEnd)).trimEnd();
      const whole = this.#open.get(name);
      const frame = whole ?? (name.endsWith("--") ? this.#open.get(name.slice(0, -2)) : undefined);
      if (frame !== undefined) {
        const before = Math.max(
          start,
          line - (this.#octets.text(line - 2, line) === "\r\n" ? 2 : 1),
        );
        const end = lineEnd < 0 ? this.#octets.indexOf("\n", line) : line + 2 + lineEnd;
        return {
          frame,
          isLast: whole === undefined,
          before,
          after: end < 0 ? this.#octets.length : end + 1,
        };
      }
      line = this.#octets.indexOf("\n--", line) + 1;
    }
    return undefined;
  }
}

/** A message inside, as the standards want it: without a transfer encoding. */
function isPlainMessage(part: Part): boolean {
  return MESSAGES.has(part.type.value) && !isEncoded(part);
}

export function isEncoded(part: Part): boolean {
  return ENCODED.has(part.encoding);
}
