// Collects what is indexed of one message: the fields, the text of the body, names and texts of attachments.
//
// Invariants: the text of body and attachments stays within the limits; what is left out marks the message as not whole.
// Documents need libraries and time, so they are only noted here, with the place where they are.

import { calendarText } from "./calendar.ts";
import { decodeText } from "./charset.ts";
import { fieldText } from "./encoded-words.ts";
import type { Fields } from "./header.ts";
import { htmlCharset } from "./html-charset.ts";
import { isFile, isShownInside, type Kind, kindOf, madeName } from "./kinds.ts";
import { NAME_CHARACTERS, NAMES, TEXT_CHARACTERS, TEXT_OCTETS } from "./limits.ts";
import { HTML, markupText } from "./markup.ts";
import { Octets } from "./octets.ts";
import { parameterText, parseParameters } from "./parameters.ts";
import { plainText } from "./plain-text.ts";
import {
  type Allowance,
  fullAllowance,
  isEncoded,
  type Leaf,
  type Part,
  Structure,
} from "./structure.ts";
import { tnefNames } from "./tnef.ts";
import { decodeTransfer } from "./transfer.ts";
import { linesBeyond } from "./words.ts";

/** A document whose text is still to be read. */
export interface NotedDocument {
  readonly kind: "pdf" | "office";
  readonly leaf: Leaf;
  /** Its position among the texts of attachments. */
  readonly position: number;
}

/** Messages inside messages that are encoded once more, each held in memory. */
const ENCODED_DEPTH = 4;
const TNEF_OCTETS = 4 << 20;

export class MessageText {
  /** The fields of the message itself. */
  fields: Fields = {};
  readonly attachments: string[] = [];
  hasAttachment = false;
  readonly body: string[] = [];
  readonly attachmentTexts: string[] = [];
  readonly documents: NotedDocument[] = [];
  readonly allowance: Allowance = fullAllowance();
  readonly #readsAttachments: boolean;
  /** The charset that the message names, for octets above 127 in its fields. */
  #charset = "";
  #octetsLeft = TEXT_OCTETS;
  #bodyLeft = TEXT_CHARACTERS;
  #attachmentsLeft = TEXT_CHARACTERS;
  /** By multipart/alternative. */
  readonly #plainTexts = new Map<object, string>();

  /** `readsAttachments`: whether the text of attachments is wanted; their names always are. */
  constructor(readsAttachments: boolean) {
    this.#readsAttachments = readsAttachments;
  }

  /** Reads the message that begins at `start`. */
  read(octets: Octets, start: number, depth = 0): void {
    for (const item of new Structure(octets, this.allowance, depth).items(start)) {
      if (item.kind === "leaf") this.#leaf(item, depth);
      else if (item.part === undefined && depth === 0) this.#own(item.fields);
      else this.#inner(item.fields, item.part);
    }
  }

  /** A field of the message itself as text. */
  field(name: "from" | "to" | "cc" | "subject" | "message-id" | "date"): string {
    return fieldText(this.fields[name] ?? "", this.#charset);
  }

  #own(fields: Fields): void {
    this.fields = fields;
    const type = fields["content-type"];
    this.#charset = type === undefined ? "" : (parseParameters(type).octets.get("charset") ?? "");
  }

  /** A message inside: users see it as a file, and its text belongs to the body. */
  #inner(fields: Fields, part: Part | undefined): void {
    if (part !== undefined) this.#name(part, "message", this.#nameOf(part));
    for (const name of ["subject", "from", "to"] as const) {
      const value = fields[name];
      if (value !== undefined) this.addBody(fieldText(value, this.#charset));
    }
  }

  #leaf(leaf: Leaf, depth: number): void {
    const { part } = leaf;
    const name = this.#nameOf(part);
    const kind = kindOf(part.type.value, name);
    if (kind === "message") this.#encodedMessage(leaf, name, depth);
    else if (this.#isBody(part, kind, name)) this.#bodyPart(leaf, kind);
    else {
      this.#name(part, kind, name);
      if (this.#readsAttachments || kind === "tnef") this.#attachment(leaf, kind);
    }
  }

  /** The text that a mail reader shows. A program may give the main text a name. */
  #isBody(part: Part, kind: Kind, name: string): boolean {
    if (kind !== "plain" && kind !== "html" && kind !== "calendar") return false;
    if (part.disposition.value === "attachment") return false;
    return name === "" || (this.body.length === 0 && part.type.value.startsWith("text/"));
  }

  #bodyPart(leaf: Leaf, kind: Kind): void {
    const { part } = leaf;
    const text = this.#textOf(leaf, kind);
    const { alternative } = part;
    if (alternative === undefined || kind === "calendar") return this.addBody(text);
    const plain = this.#plainTexts.get(alternative);
    // The HTML text mostly repeats the plain text. Only its further lines are worth the room in the index.
    if (kind === "html" && plain !== undefined) return this.addBody(linesBeyond(plain, text));
    if (kind === "plain") this.#plainTexts.set(alternative, text);
    return this.addBody(text);
  }

  #attachment(leaf: Leaf, kind: Kind): void {
    if (kind === "none" || kind === "message") return;
    if (kind === "tnef") this.#tnef(leaf);
    else if (kind === "pdf" || kind === "office") {
      const position = this.attachmentTexts.push("") - 1;
      this.documents.push({ kind, leaf, position });
    } else {
      const position = this.attachmentTexts.push("") - 1;
      this.setAttachmentText(position, this.#textOf(leaf, kind));
    }
  }

  #tnef(leaf: Leaf): void {
    const octets = leaf.octets.bytes(leaf.start, Math.min(leaf.end, leaf.start + TNEF_OCTETS));
    for (const name of tnefNames(decodeTransfer(octets, leaf.part.encoding))) this.#addName(name);
  }

  /** A message inside that is encoded, which no standard allows, or that lies too deep. */
  #encodedMessage(leaf: Leaf, name: string, depth: number): void {
    this.#name(leaf.part, "message", name);
    const octets = Buffer.from(this.#octetsOf(leaf));
    if (depth < ENCODED_DEPTH && isEncoded(leaf.part)) {
      return this.read(new Octets(octets), 0, depth + 1);
    }
    this.addBody(decodeText(octets, ""));
  }

  #textOf(leaf: Leaf, kind: Kind): string {
    const { type } = leaf.part;
    const octets = this.#octetsOf(leaf);
    const charset = type.octets.get("charset") ?? "";
    if (kind === "html") {
      const html = decodeText(octets, charset === "" ? htmlCharset(octets) : charset);
      return markupText(html, HTML, TEXT_CHARACTERS);
    }
    const text = decodeText(octets, charset);
    if (kind === "calendar") return calendarText(text);
    const { text: plain, files } = plainText(
      text,
      type.octets.get("delsp")?.toLowerCase() === "yes",
    );
    for (const file of files) {
      this.#addName(fieldText(file));
      this.hasAttachment = true;
    }
    return plain;
  }

  /** The decoded octets of a text part, as far as the limit allows. */
  #octetsOf(leaf: Leaf): Buffer {
    const length = Math.min(leaf.end - leaf.start, this.#octetsLeft);
    if (length < leaf.end - leaf.start) this.allowance.isWhole = false;
    this.#octetsLeft -= length;
    return decodeTransfer(leaf.octets.bytes(leaf.start, leaf.start + length), leaf.part.encoding);
  }

  addBody(text: string): void {
    if (text === "") return;
    const cut = text.length > this.#bodyLeft ? text.slice(0, this.#bodyLeft) : text;
    if (cut !== text) this.allowance.isWhole = false;
    this.#bodyLeft -= cut.length;
    if (cut !== "") this.body.push(cut);
  }

  setAttachmentText(position: number, text: string): void {
    const cut = text.length > this.#attachmentsLeft ? text.slice(0, this.#attachmentsLeft) : text;
    if (cut !== text) this.allowance.isWhole = false;
    this.#attachmentsLeft -= cut.length;
    this.attachmentTexts[position] = cut;
  }

  #nameOf(part: Part): string {
    return (
      parameterText(part.disposition, "filename", this.#charset) ||
      parameterText(part.type, "name", this.#charset)
    );
  }

  #name(part: Part, kind: Kind, name: string): void {
    if (!isFile(part, kind, name)) return;
    this.#addName(name === "" ? madeName(part.type.value) : name);
    if (!isShownInside(part)) this.hasAttachment = true;
  }

  #addName(name: string): void {
    if (this.attachments.length < NAMES) this.attachments.push(name.slice(0, NAME_CHARACTERS));
    else this.allowance.isWhole = false;
  }
}
