// The part of a message that a report returns to its sender: the whole message, or only its header.
// Invariants: at most the size limit, or 64 KiB of header, is in memory. The returned part has no NUL:
// neither 7bit nor 8bit allows it (RFC 2045 2.7), and a strict server would refuse the whole report.

import type { Body } from "../mail/envelope.ts";

export interface Original {
  readonly content: Buffer;
  /** False if `content` is only the header. */
  readonly isWhole: boolean;
}

const HEADER_LIMIT = 64 * 1024;
const CRLF = Buffer.from("\r\n");
const NUL = 0;
const QUESTION_MARK = 0x3f;

/** Throws the error of the body if its bytes are damaged. */
export async function readOriginal(body: Body, limit: number): Promise<Original> {
  if (body.size > limit) return { content: await readHeader(body), isWhole: false };
  const pieces: Buffer[] = [];
  for await (const piece of body.chunks()) pieces.push(piece);
  const content = Buffer.concat(pieces);
  if (content.includes(NUL)) return { content: await readHeader(body), isWhole: false };
  return { content, isWhole: true };
}

/** The header with the CRLF of its last field. A header that is too long is cut after a whole line. "?" replaces NUL. */
export async function readHeader(body: Body): Promise<Buffer> {
  const header = cutHeader(await readHead(body));
  return header.includes(NUL)
    ? Buffer.from(header.map((byte) => (byte === NUL ? QUESTION_MARK : byte)))
    : header;
}

/** The header, and possibly some of the text after it. */
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

/** The offset of the empty line, or -1. */
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
