// One file of a message becomes an Extract: in the ordinary way, or plainly, for a message that has cost a process
// before.

import { decodeText } from "./charset.ts";
import { fieldText } from "./encoded-words.ts";
import type { Extract } from "./extract.ts";
import { readHeader } from "./header.ts";
import {
  DOCUMENT_OCTETS,
  INFLATED_OCTETS,
  PDF_TIME,
  RAW_OCTETS,
  TEXT_CHARACTERS,
} from "./limits.ts";
import { type MessageFile, withMessageFile } from "./message-file.ts";
import { MessageText, type NotedDocument } from "./message-text.ts";
import { messageTime } from "./message-time.ts";
import type { Inflation } from "./office.ts";
import type { Octets } from "./octets.ts";
import { decodeBase64, decodeTransfer } from "./transfer.ts";

export interface Means {
  readonly attachments: boolean;
  /** Called from time to time, while work goes on that cannot be endless. */
  readonly alive: () => void;
  /** Called with all but the texts of documents, before these are read. */
  readonly partly: (extract: Extract) => void;
}

export function extractFile(path: string, means: Means): Promise<Extract | "gone"> {
  return withMessageFile(path, means.alive, (file) => extractOf(file, means));
}

function extractOf(file: MessageFile, means: Means): Extract | Promise<Extract> {
  const message = new MessageText(means.attachments);
  message.read(file.octets, file.headers.length);
  const { documents } = message;
  if (documents.length === 0) return extract(file, message, message.allowance.isWhole);
  means.partly(extract(file, message, false));
  return withDocuments(file, message);
}

async function withDocuments(file: MessageFile, message: MessageText): Promise<Extract> {
  const reader = new DocumentReader();
  for (const noted of message.documents) {
    message.setAttachmentText(noted.position, await reader.text(noted));
  }
  return extract(file, message, message.allowance.isWhole && reader.isWhole);
}

/** The headers and the raw text, in the plainest way there is. */
export function extractPlainly(path: string, alive: () => void): Promise<Extract | "gone"> {
  return withMessageFile(path, alive, (file) => {
    const message = new MessageText(false);
    const { octets, headers } = file;
    const header = readHeader(
      octets,
      headers.length,
      Math.min(octets.length, headers.length + RAW_OCTETS),
    );
    message.fields = header.fields;
    const raw = octets.bytes(header.bodyStart, header.bodyStart + RAW_OCTETS);
    message.addBody(decodeText(raw, ""));
    return extract(file, message, false);
  });
}

function extract(file: MessageFile, message: MessageText, isWhole: boolean): Extract {
  const { octets, headers, sha256, contentSha256 } = file;
  const messageId = message.field("message-id");
  return {
    size: octets.length,
    sha256,
    contentSha256,
    date: messageTime(message.fields.date ?? ""),
    deliveryDate: headers.deliveryDate,
    from: message.field("from"),
    to: recipients(message.field("to"), message.field("cc"), headers.envelopeTo),
    subject: message.field("subject"),
    messageId: (/<([^<>]*)>/.exec(messageId)?.[1] ?? messageId).trim().slice(0, 1000),
    attachments: message.attachments,
    hasAttachment: message.hasAttachment,
    body: message.body.join("\n"),
    attachmentTexts: message.attachmentTexts.filter((text) => text !== ""),
    isParsed: isWhole,
  };
}

/** To, Cc, and those addresses of the envelope that are in neither. */
function recipients(to: string, cc: string, envelope: string): string {
  const fields = to === "" || cc === "" ? to + cc : `${to}, ${cc}`;
  const written = fields.toLowerCase();
  const further = fieldText(Buffer.from(envelope, "utf8").toString("latin1"))
    .split(/,\s*/)
    .filter((address) => address !== "" && !written.includes(address.toLowerCase()))
    .join(", ");
  return fields === "" || further === "" ? fields + further : `${fields}, ${further}`;
}

/** Reads the documents of one message within the limits for all of them. */
class DocumentReader {
  isWhole = true;
  readonly #inflation: Inflation = { left: INFLATED_OCTETS, isCut: false };
  readonly #begun = process.cpuUsage();

  /** "" for a document that cannot be read. */
  async text({ kind, leaf }: NotedDocument): Promise<string> {
    try {
      const document = documentOctets(leaf.octets, leaf.start, leaf.end, leaf.part.encoding);
      return await (kind === "pdf" ? this.#pdf(document) : this.#office(document));
    } catch {
      // Documents are written by strangers. One that is damaged marks the message and costs nothing else.
      this.isWhole = false;
      return "";
    }
  }

  async #pdf(document: Buffer): Promise<string> {
    if (!document.subarray(0, 1024).includes("%PDF-")) throw new TypeError("it is no PDF document");
    const { pdfText } = await import("./pdf.ts");
    const { text, isCut } = await pdfText(document, TEXT_CHARACTERS, () => {
      const { user, system } = process.cpuUsage(this.#begun);
      return user + system > PDF_TIME * 1000;
    });
    if (isCut) this.isWhole = false;
    return text;
  }

  async #office(document: Buffer): Promise<string> {
    const { officeText } = await import("./office.ts");
    const text = await officeText(document, this.#inflation);
    if (this.#inflation.isCut) this.isWhole = false;
    return text;
  }
}

/** A document decoded, piece by piece so that memory holds it once. */
function documentOctets(octets: Octets, start: number, end: number, encoding: string): Buffer {
  // Base64 takes four characters for three octets, and line ends.
  if (end - start > DOCUMENT_OCTETS * 1.4) throw new RangeError("the document is too large");
  if (encoding !== "base64") return Buffer.from(decodeTransfer(octets.bytes(start, end), encoding));
  const decoded = Buffer.allocUnsafeSlow(Math.ceil(((end - start) * 3) / 4));
  let written = 0;
  let rest = "";
  for (let at = start; at < end && written < decoded.length; at += PIECE) {
    const text =
      rest + octets.text(at, Math.min(end, at + PIECE)).replaceAll(/[^A-Za-z0-9+/=]/g, "");
    const whole = text.length - (text.length % 4);
    written += decodeBase64(text.slice(0, whole)).copy(decoded, written);
    rest = text.slice(whole);
  }
  if (rest !== "" && written < decoded.length) written += decodeBase64(rest).copy(decoded, written);
  return decoded.subarray(0, written);
}

const PIECE = 1 << 18;
