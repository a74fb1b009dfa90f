// The text of HTML and XML, in one pass over the tags. No tree is built, so that unclosed or deeply nested tags cost
// nothing.
//
// Invariants: time is proportional to the length. Text that styles hide is text. Tags that a browser shows in one line
// of text do not separate words; all others do. Only the entities of HTML exist: a document cannot define its own.

import { decodeHTML, decodeXML } from "entities";

export interface MarkupKind {
  /** Of a tag's name in lower case: whether the words around it are separate. */
  separates(tag: string): boolean;
  /** Tags whose content is no text, up to the end tag. */
  readonly silent: ReadonlySet<string>;
  decode(text: string): string;
}

const INLINE = new Set(
  (
    "a abbr acronym b basefont bdi bdo big cite code data del dfn em font i ins kbd label mark nobr o:p q s samp " +
    "small span strike strong sub sup time tt u var wbr"
  ).split(" "),
);

export const HTML: MarkupKind = {
  separates: (tag) => !INLINE.has(tag),
  silent: new Set(["script", "style"]),
  decode: decodeHTML,
};

/** Tags of OOXML and ODF after which a word ends, without their name space. */
const XML_BLOCKS = new Set(
  "p h tab br cr line-break s tc tr si c row table-cell table-row note annotation comment".split(
    " ",
  ),
);

export const XML: MarkupKind = {
  separates: (tag) => XML_BLOCKS.has(tag.slice(tag.indexOf(":") + 1)),
  // Codes of fields in OOXML, and the offsets of drawings.
  silent: new Set(["w:instrtext", "wp:posoffset", "wp14:pctwidth", "wp14:pctheight"]),
  decode: decodeXML,
};

const SLASH = 47;
const BANG = 33;
const QUESTION = 63;

/** The text stops soon after `most` characters. */
export function markupText(markup: string, kind: MarkupKind, most: number): string {
  const tags = new Tags(markup);
  const text = new ShownText(kind);
  let at = 0;
  while (text.length <= most) {
    const tag = tags.next(at);
    text.add(markup.slice(at, tag?.start ?? markup.length));
    if (tag === undefined) break;
    at = tag.end;
    if (tag.isBegin && kind.silent.has(tag.name)) at = tags.afterElement(tag.name, at);
    if (tag.name !== "" && kind.separates(tag.name)) text.endRun();
    if (tag.name === "img") text.addRun(alternative(markup.slice(tag.start, tag.end)));
  }
  return text.end();
}

/** Text is collected in runs: what stands between two tags that separate words. Entities are decoded once for a run. */
class ShownText {
  /** Characters collected so far, line ends included. */
  length = 0;
  readonly #kind: MarkupKind;
  readonly #lines: string[] = [];
  #run = "";

  constructor(kind: MarkupKind) {
    this.#kind = kind;
  }

  add(text: string): void {
    this.#run += text;
    this.length += text.length;
  }

  addRun(text: string): void {
    this.add(text);
    this.endRun();
  }

  endRun(): void {
    if (this.#run === "") return;
    const line = shown(this.#run, this.#kind);
    this.length++;
    if (line !== "") this.#lines.push(line);
    this.#run = "";
  }

  end(): string {
    this.endRun();
    return this.#lines.join("\n");
  }
}

/** Text as a browser shows it: white space in one piece, without the places where a word may be cut. */
function shown(text: string, kind: MarkupKind): string {
  const decoded = text.includes("&") ? kind.decode(text) : text;
  return decoded
    .replaceAll(/[ \t\r\n\f\u00A0]+/g, " ")
    .replaceAll("\u00AD", "")
    .trim();
}

/** The text that stands for an image. */
function alternative(attributes: string): string {
  if (!/\salt\s*=/i.test(attributes)) return "";
  const [, double, single, bare] =
    /\salt\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/i.exec(attributes) ?? [];
  return double ?? single ?? bare ?? "";
}

/** Names begin with a letter and may have a name space. */
function endOfName(markup: string, start: number): number {
  let at = start;
  for (; ; at++) {
    const char = markup.charCodeAt(at);
    const isLetter = (char >= 97 && char <= 122) || (char >= 65 && char <= 90);
    const isLater = at > start && ((char >= 48 && char <= 58) || char === 45 || char === 95);
    if (!isLetter && !isLater) return at;
  }
}

interface Tag {
  readonly start: number;
  readonly end: number;
  /** In lower case; "" for comments and declarations. */
  readonly name: string;
  /** It begins an element. */
  readonly isBegin: boolean;
}

/** Finds tags. What was looked for in vain is not looked for again, so that time stays proportional. */
class Tags {
  readonly #markup: string;
  readonly #missing = new Set<string>();

  constructor(markup: string) {
    this.#markup = markup;
  }

  /** The first tag from `start` on. A "<" that begins none is text. */
  next(start: number): Tag | undefined {
    for (let open = start; ; open++) {
      open = this.#markup.indexOf("<", open);
      if (open < 0) return undefined;
      const next = this.#markup.charCodeAt(open + 1);
      if (next === BANG || next === QUESTION) {
        return { start: open, end: this.#afterDeclaration(open), name: "", isBegin: false };
      }
      const nameStart = next === SLASH ? open + 2 : open + 1;
      const nameEnd = endOfName(this.#markup, nameStart);
      if (nameEnd === nameStart) continue;
      const name = this.#markup.slice(nameStart, nameEnd).toLowerCase();
      return { start: open, end: this.#afterTag(nameEnd), name, isBegin: next !== SLASH };
    }
  }

  /** After a comment, `<!doctype …>` or `<?xml …?>`. An unclosed comment ends after its first characters. */
  #afterDeclaration(open: number): number {
    if (this.#markup.startsWith("<!--", open)) {
      const end = this.#indexOf("-->", open + 2);
      return end < 0 ? open + 4 : end + 3;
    }
    if (this.#markup.startsWith("<![CDATA[", open)) return open + 9;
    const end = this.#indexOf(">", open);
    return end < 0 ? open + 2 : end + 1;
  }

  /** After the ">" of a tag; ">" in quotation marks is no end. */
  #afterTag(start: number): number {
    let end = this.#indexOf(">", start);
    if (end < 0) return start;
    const first = end;
    for (let at = start; ;) {
      const quote = nextQuote(this.#markup, at, end);
      if (quote < 0) return end + 1;
      const closing = this.#indexOf(this.#markup.charAt(quote), quote + 1);
      if (closing < 0) return first + 1;
      at = closing + 1;
      if (closing > end) end = this.#indexOf(">", closing);
      if (end < 0) return first + 1;
    }
  }

  /** After the end tag of an element. Without one, right after its begin tag. */
  afterElement(tag: string, start: number): number {
    const pattern = `</${tag}`;
    if (this.#missing.has(pattern)) return start;
    const found = indexOfCaseless(this.#markup, pattern, start);
    if (found < 0) this.#missing.add(pattern);
    return found < 0 ? start : this.#afterTag(found + pattern.length);
  }

  #indexOf(pattern: string, start: number): number {
    if (this.#missing.has(pattern)) return -1;
    const found = this.#markup.indexOf(pattern, start);
    if (found < 0) this.#missing.add(pattern);
    return found;
  }
}

/** The quotation mark that begins a value, after "=", before `end`. */
function nextQuote(markup: string, start: number, end: number): number {
  for (let at = start; at < end; at++) {
    const char = markup.charCodeAt(at);
    if ((char === 34 || char === 39) && isAfterEquals(markup, at)) return at;
  }
  return -1;
}

function isAfterEquals(markup: string, quote: number): boolean {
  let at = quote - 1;
  while (markup.charCodeAt(at) <= 32) at--;
  return markup.charCodeAt(at) === 61;
}

function indexOfCaseless(markup: string, pattern: string, start: number): number {
  for (let at = start; ; at++) {
    at = markup.indexOf("</", at);
    if (at < 0) return -1;
    if (markup.slice(at, at + pattern.length).toLowerCase() === pattern) return at;
  }
}
