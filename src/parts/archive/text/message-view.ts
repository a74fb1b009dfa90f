// A message as a reader sees it: its text, its HTML as the sender wrote it, and its parts that are files.
//
// Invariants: each octet of the file is looked at a few times at most. Text and HTML are bounded. A message inside is one
// file; its own parts are not listed.

import { decodeText } from "./charset.ts";
import { htmlCharset } from "./html-charset.ts";
import { isFile, type Kind, kindOf, madeName } from "./kinds.ts";
import { NAME_CHARACTERS, NAMES } from "./limits.ts";
import { HTML, markupText } from "./markup.ts";
import type { Octets } from "./octets.ts";
import { parameterText } from "./parameters.ts";
import { fullAllowance, type Leaf, type MessageStart, type Part, Structure } from "./structure.ts";
import { TransferDecoder } from "./transfer-decoder.ts";

/** A part that is a file. */
export interface ViewedPart {
  /** From 1. */
  readonly number: number;
  readonly name: string;
  /** "image/png", in lower case. */
  readonly type: string;
  /** In octets, without the transfer encoding. */
  readonly size: number;
  /** Without angle brackets; empty if there is none. */
  readonly contentId: string;
  /** Where it lies in the file of the message. */
  readonly start: number;
  readonly end: number;
  readonly encoding: string;
}

export interface MessageView {
  /** From the HTML if there is no plain text. */
  readonly text: string;
  /** Empty if there is none. */
  readonly html: string;
  readonly parts: readonly ViewedPart[];
  /** False if a limit was reached. */
  readonly isWhole: boolean;
}

const CHARACTERS = 1 << 20;
const TEXT_OCTETS = 4 << 20;
const PIECE = 1 << 18;

export function messageView(octets: Octets, start: number): MessageView {
  const view = new View(octets);
  view.read(start);
  return view.result();
}

class View {
  readonly #octets: Octets;
  readonly #allowance = fullAllowance();
  readonly #parts: ViewedPart[] = [];
  readonly #texts: string[] = [];
  readonly #htmls: string[] = [];

  constructor(octets: Octets) {
    this.#octets = octets;
  }

  read(start: number): void {
    // The end of the message inside that is being passed over.
    let inside = start;
    for (const item of new Structure(this.#octets, this.#allowance).items(start)) {
      if (item.start < inside) continue;
      if (item.kind === "leaf") this.#leaf(item);
      else if (item.part !== undefined) inside = this.#message(item, item.part);
    }
  }

  result(): MessageView {
    const html = this.#bounded(this.#htmls);
    const text = this.#bounded(this.#texts) || markupText(html, HTML, CHARACTERS).trim();
    return { text, html, parts: this.#parts, isWhole: this.#allowance.isWhole };
  }

  #bounded(texts: readonly string[]): string {
    const text = texts.join("\n");
    if (text.length > CHARACTERS) this.#allowance.isWhole = false;
    return text.slice(0, CHARACTERS);
  }

  #message(item: MessageStart, part: Part): number {
    const { start } = item;
    const end = item.end();
    this.#add(part, { start, end, encoding: "", name: nameOf(part) });
    return end;
  }

  #leaf({ part, start, end }: Leaf): void {
    const name = nameOf(part);
    const kind = kindOf(part.type.value, name);
    const isFirst = this.#texts.length === 0 && this.#htmls.length === 0;
    if (isText(kind) && part.disposition.value !== "attachment" && (name === "" || isFirst)) {
      this.#text(part, kind, { start, end });
    } else if (isFile(part, kind, name)) {
      this.#add(part, { start, end, encoding: part.encoding, name });
    }
  }

  #text(part: Part, kind: Kind, { start, end }: { start: number; end: number }): void {
    if (end - start > TEXT_OCTETS) this.#allowance.isWhole = false;
    const octets = this.#decoded(start, Math.min(end, start + TEXT_OCTETS), part.encoding);
    const charset = part.type.octets.get("charset") ?? "";
    const isHtml = kind === "html";
    const text = decodeText(octets, charset === "" && isHtml ? htmlCharset(octets) : charset);
    (isHtml ? this.#htmls : this.#texts).push(text);
  }

  #add(
    part: Part,
    place: {
      readonly start: number;
      readonly end: number;
      readonly encoding: string;
      name: string;
    },
  ): void {
    if (this.#parts.length >= NAMES) {
      this.#allowance.isWhole = false;
      return;
    }
    const { start, end, encoding, name } = place;
    const type = part.type.value;
    this.#parts.push({
      number: this.#parts.length + 1,
      name: (name || madeName(type)).slice(0, NAME_CHARACTERS),
      type,
      size: this.#size(start, end, encoding),
      contentId: (part.fields["content-id"] ?? "").trim().replace(/^<(.*)>$/s, "$1"),
      start,
      end,
      encoding,
    });
  }

  #size(start: number, end: number, encoding: string): number {
    let size = 0;
    for (const piece of this.#pieces(start, end, encoding)) size += piece.length;
    return size;
  }

  #decoded(start: number, end: number, encoding: string): Buffer {
    return Buffer.concat(
      Array.from(this.#pieces(start, end, encoding), (piece) => Buffer.from(piece)),
    );
  }

  *#pieces(start: number, end: number, encoding: string): Generator<Buffer, void> {
    const decoder = new TransferDecoder(encoding);
    for (let at = start; at < end; at += PIECE) {
      yield decoder.push(this.#octets.bytes(at, Math.min(end, at + PIECE)));
    }
    yield decoder.end();
  }
}

const isText = (kind: Kind) => kind === "plain" || kind === "html" || kind === "calendar";

function nameOf(part: Part): string {
  return parameterText(part.disposition, "filename") || parameterText(part.type, "name");
}
