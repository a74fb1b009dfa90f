// The only module that knows nodemailer: its MIME composer writes the dates, addresses, folds and encodings of all mail
// that the relay writes itself.
// Invariants: the same draft gives the same bytes. Every line ends with CRLF. No value of a draft ends its header field
// or adds another one. Verbatim bytes are never encoded: nodemailer's composer does not get them.

import { isAscii } from "node:buffer";
import type MimeNode from "nodemailer/lib/mime-node";
import type { Draft, DraftPart, ReportContent } from "../mail/draft.ts";
import { oneLine } from "../mail/text.ts";

export interface Composed {
  readonly bytes: Buffer;
  /** Whether the message must be sent as 8BITMIME (RFC 6152). */
  readonly eightBit: boolean;
  /** Whether the message must be sent as SMTPUTF8 (RFC 6531). */
  readonly smtputf8: boolean;
}

export interface Occasion {
  /** The id of the message in the spool: Message-ID and MIME boundary contain it. */
  readonly id: string;
  /** The relay's own name. */
  readonly hostname: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

type Node = typeof MimeNode;

let loading: Promise<Node> | undefined;

/** Loads nodemailer. Rejects if the installation is incomplete. */
export function loadComposer(): Promise<Node> {
  loading ??= load();
  return loading;
}

async function load(): Promise<Node> {
  try {
    return (await import("nodemailer/lib/mime-node")).default;
  } catch (error) {
    // The next message tries again.
    loading = undefined;
    throw error;
  }
}

/** Composes the message. Rejects only if nodemailer cannot be loaded. */
export async function composedMessage(draft: Draft, occasion: Occasion): Promise<Composed> {
  const Composer = await loadComposer();
  const { from, to, subject, inReplyTo, fields, content } = draft;
  const { id, hostname, now } = occasion;
  const type = typeof content === "string" ? TEXT : reportType(content, id);
  const names = new Map(Object.keys(fields).map((name) => [name.toLowerCase(), name]));
  const root = new Composer(type, {
    // By default, the composer writes "Tls-Report-Domain".
    normalizeHeaderKey: (key) => names.get(key.toLowerCase()) ?? key,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  // The composer also folds at characters such as U+2028, which is not white space in mail. `oneLine` leaves only blanks.
  root.setHeader("From", { name: oneLine(from.name), address: oneLine(from.address) });
  root.setHeader("To", { name: "", address: oneLine(to.address) });
  root.setHeader("Subject", oneLine(subject));
  root.setHeader("Date", new Date(now));
  root.setHeader("Message-ID", oneLine(draft.messageId ?? `<${id}@${hostname}>`));
  if (inReplyTo !== undefined) {
    root.setHeader("In-Reply-To", oneLine(inReplyTo));
    root.setHeader("References", oneLine(inReplyTo));
  }
  for (const [name, given] of Object.entries(fields)) {
    const value = oneLine(given);
    // The composer makes an encoded word (RFC 2047) of quotes and of text beyond ASCII. That would spoil an address.
    const isChanged = Composer.encodeHeaderValue(name, value) !== value;
    root.setHeader(name, isChanged ? { value, prepared: true, foldLines: true } : value);
  }
  root.setHeader("MIME-Version", "1.0");
  if (typeof content === "string") root.setContent(content);
  else addParts(root, content);
  const bytes = await root.build();
  const end = bytes.indexOf("\r\n\r\n");
  const smtputf8 = !isAscii(bytes.subarray(0, end)) || !isAscii(Buffer.from(to.address));
  return { bytes, eightBit: smtputf8 || !isAscii(bytes.subarray(end)), smtputf8 };
}

/** The composer changes the charset to "utf-8" if necessary. */
const TEXT = "text/plain; charset=us-ascii";

function reportType({ reportType: type, parts }: ReportContent, id: string): string {
  return `multipart/report; report-type=${type}; boundary="${unusedBoundary(`=_${id}`, parts)}"`;
}

/** A boundary that no part contains: a message may quote the boundary of its own bounce. */
function unusedBoundary(base: string, parts: readonly DraftPart[]): string {
  const holds = (boundary: string) =>
    parts.some((part) => (part.kind === "text" ? part.text : part.content).includes(boundary));
  let boundary = base;
  for (let count = 1; holds(boundary); count++) boundary = `${base}_${count}`;
  return boundary;
}

function addParts(root: MimeNode, { parts }: ReportContent): void {
  const isSevenBit = parts.every((part) => part.kind !== "verbatim" || isAscii(part.content));
  root.setHeader("Content-Transfer-Encoding", isSevenBit ? "7bit" : "8bit");
  root.setContent("This is a report in MIME format.\r\n\r\n");
  for (const part of parts) addPart(root, part);
}

function addPart(root: MimeNode, part: DraftPart): void {
  if (part.kind === "text") {
    const node = root.createChild(TEXT);
    if (part.description !== undefined) node.setHeader("Content-Description", part.description);
    node.setContent(part.text);
  } else if (part.kind === "verbatim") {
    root.createChild().setRaw(verbatim(part));
  } else {
    const node = root.createChild(part.type);
    // By default, the composer cuts a long name into `filename*0`, `filename*1` (RFC 2231).
    const value = `attachment; filename="${part.fileName}"`;
    node.setHeader("Content-Disposition", { value, prepared: true, foldLines: true });
    node.setContent(part.content);
  }
}

/** The part as raw bytes with its header: the composer would encode every part of the type text/* again. */
function verbatim(part: Extract<DraftPart, { kind: "verbatim" }>): Buffer {
  const { type, description, content } = part;
  const head =
    `Content-Type: ${type}\r\n` +
    `Content-Description: ${description}\r\n` +
    `Content-Transfer-Encoding: ${isAscii(content) ? "7bit" : "8bit"}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), content]);
}
