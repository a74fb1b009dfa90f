// The message that a report is about, as far as it goes back to its sender: whole, or only its header.
// Invariants: never more than the size limit, or 64 KiB of header, is held in memory. What goes back holds no NUL:
// neither 7bit nor 8bit knows it (RFC 2045 2.7), and who is strict refuses the whole report.

import type { Body } from "../mail/envelope.ts";

export interface Original {
  readonly content: Buffer;
  /** False when `content` is the header only. */
  readonly isWhole: boolean;
}

const HEADER_LIMIT = 64 * 1024;
const CRLF = Buffer.from("\r\n");
const NUL = 0;
const QUESTION_MARK = 0x3f;

/** Throws what the body throws when its bytes are damaged. */
export async function readOriginal(body: Body, limit: number): Promise<Original> {
  if (body.size > limit) return { content: await readHeader(body), isWhole: false };
  const pieces: Buffer[] = [];
  for await (const piece of body.chunks()) pieces.push(piece);
  const content = Buffer.concat(pieces);
  if (content.includes(NUL)) return { content: await readHeader(body), isWhole: false };
  return { content, isWhole: true };
}

/** The header with the CRLF of its last field; one that is too long ends after a whole line. "?" stands for a NUL. */
export async function readHeader(body: Body): Promise<Buffer> {
  const header = cutHeader(await readHead(body));
  return header.includes(NUL)
    ? Buffer.from(header.map((byte) => (byte === NUL ? QUESTION_MARK : byte)))
    : header;
}

/** The header, and perhaps more. */
async function readHead(body: Body): Promise<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  for await (const piece of body.chunks()) {
    head = Buffer.concat([head, piece]);
    if (endOfHeader(head) >= 0 || head.length > HEADER_LIMIT) break;
  }
  return head;
}

function cutHeader(head: Buffer): Buffer {
  const end = endOfHeader(head);
  if (end >= 0 && end <= HEADER_LIMIT) return head.subarray(0, end);
  if (head.length <= HEADER_LIMIT) return head;
  const lastLine = head.lastIndexOf(CRLF, HEADER_LIMIT - CRLF.length);
  return head.subarray(0, lastLine < 0 ? 0 : lastLine + CRLF.length);
}

/** Where the empty line begins, or -1. */
function endOfHeader(head: Buffer): number {
  if (head.indexOf(CRLF) === 0) return 0;
  const gap = head.indexOf("\r\n\r\n");
  return gap < 0 ? -1 : gap + CRLF.length;
}

/** The value of the first field of this name, unfolded; bytes above 127 as they are in UTF-8. */
export function headerValue(content: Buffer, name: string): string | undefined {
  const end = endOfHeader(content);
  const header = content.toString("utf8", 0, end < 0 ? content.length : end);
  const pattern = new RegExp(String.raw`^${name}[ \t]*:(.*(?:\r\n[ \t].*)*)`, "im");
  return pattern.exec(header)?.[1]?.replaceAll("\r\n", "").trim();
}
