// Replies of an SMTP server, as a client reads them (RFC 5321 4.2). The peer is treated as hostile:
// - The length of a line, the number of lines and their sum are bounded.
// - Of a long reply, only the beginning and the last line are held.
// - The text of a Status has no control characters and a bounded length, so it cannot forge a log line or a report.
// A line may end in a bare LF. That is safe, because the client sends nothing that depends on line ends in replies.
//
// If the lines of a reply have different codes of one class, the last line's code counts (RFC 5321 4.2.1 lets a client
// look at any of them). If their classes differ, the meaning is unknown: the reply becomes a temporary error for the
// command that it answers, and the connection is not used again. If a refusal exceeds the bounds, its lines so far are
// the answer, and the connection is not used again either.

import { status, type Status } from "../../mail/status.ts";

export interface Reply {
  /** 200 to 599. */
  readonly code: number;
  /** The raw texts after the code; at least one. A long reply lacks those in the middle. */
  readonly lines: readonly string[];
  /** The reply contradicts itself or is too long, so nothing can be read after it. */
  readonly unfinished?: true;
}

/** The peer broke the protocol; the message says how. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** Most octets of one line; RFC 5321 4.5.3.1.5 allows for 512. */
const LONGEST_LINE = 2048;
/** Most lines and octets of one reply. */
const MOST_LINES = 100;
const MOST_BYTES = 64 * 1024;
/** Octets of a reply after which only its last line is still held. */
const MOST_HELD = 8 * 1024;
/** Characters. */
const LONGEST_TEXT = 1024;

const LF = 0x0a;
const CR = 0x0d;

/** Cuts a stream of bytes into replies. */
export class ReplyParser {
  #rest: Buffer | undefined;
  #code = 0;
  #isContradictory = false;
  #lines: string[] = [];
  #count = 0;
  #bytes = 0;

  /** True in the middle of a reply. */
  get pending(): boolean {
    return this.#rest !== undefined || this.#count > 0;
  }

  /** Appends the replies that `chunk` completes to `replies`. Throws a {@link ProtocolError}. */
  push(chunk: Buffer, replies: Reply[]): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, start)) {
      const reply = this.#line(bytes, start, bytes[end - 1] === CR && end > start ? end - 1 : end);
      if (reply !== undefined) replies.push(reply);
      start = end + 1;
    }
    this.#rest = start < bytes.length ? bytes.subarray(start) : undefined;
    if (this.#rest !== undefined && this.#rest.length > LONGEST_LINE) throw tooLong();
  }

  /** Returns the reply that this line completes, or undefined in the middle of a reply. */
  #line(bytes: Buffer, start: number, end: number): Reply | undefined {
    if (end - start > LONGEST_LINE) throw tooLong();
    const line = bytes.toString("utf8", start, end);
    const code = codeOf(line);
    if (code === undefined) throw new ProtocolError("a line that is not an SMTP reply");
    if (this.#count > 0 && !isSameClass(code, this.#code)) this.#isContradictory = true;
    this.#code = code;
    this.#bytes += end - start;
    this.#count++;
    const isLast = line[3] !== "-";
    const isTooLong = this.#count > MOST_LINES || this.#bytes > MOST_BYTES;
    if (isTooLong && code < 400) throw tooLong();
    if (isLast || this.#bytes <= MOST_HELD) this.#lines.push(line.slice(4));
    return isLast || isTooLong ? this.#whole(line, isTooLong) : undefined;
  }

  #whole(last: string, isTooLong: boolean): Reply {
    const reply: Reply = this.#isContradictory
      ? { code: 451, lines: [`4.5.0 protocol error: ${CONTRADICTION} "${last}"`], unfinished: true }
      : { code: this.#code, lines: this.#lines, ...(isTooLong ? { unfinished: true } : {}) };
    this.#isContradictory = false;
    this.#lines = [];
    this.#count = 0;
    this.#bytes = 0;
    return reply;
  }
}

const CONTRADICTION = "a reply with lines of different classes, the last of them";

function isSameClass(one: number, other: number): boolean {
  return Math.trunc(one / 100) === Math.trunc(other / 100);
}

function tooLong(): ProtocolError {
  return new ProtocolError("the reply is too long");
}

/**
 * Returns the code of "250", "250 text" or "250-text". A bare code is allowed (RFC 5321 4.2). "250<TAB>text" is valid
 * too: a host that answers so has taken the message, and must not get it twice.
 */
function codeOf(line: string): number | undefined {
  return /^[2-5]\d\d(?:[\s-]|$)/.test(line) ? Number(line.slice(0, 3)) : undefined;
}

/** Whether the reply is 2xx. */
export function isPositive(reply: Reply): boolean {
  return reply.code < 300;
}

/** Whether the connection cannot be used after this reply, whatever it answers (RFC 5321 3.8). */
export function isLastOne({ code, unfinished }: Reply): boolean {
  return code === 421 || unfinished === true;
}

/**
 * Returns the status of a 2xx, 4xx or 5xx reply. Its enhanced code (RFC 2034) comes from the last line that has one of
 * the same class as the code. Without such a line it is x.0.0.
 */
export function replyStatus(reply: Reply): Status {
  const codes = reply.lines.map((line) => enhancedCode(line, reply.code));
  const found = codes.findLast((one) => one !== undefined);
  const text = reply.lines.map((line, index) => line.slice(codes[index]?.[1] ?? 0)).join(" ");
  const said = status(reply.code, found?.[0] ?? "0.0", harmless(text) || "(no text)");
  return found === undefined ? { ...said, remote: true, bare: true } : { ...said, remote: true };
}

/** Returns the enhanced code without its class digit, and the length of the code and the space after it. */
function enhancedCode(line: string, code: number): readonly [string, number] | undefined {
  const match = /^([245])\.(\d{1,3}\.\d{1,3})(?: +|$)/.exec(line);
  if (match === null || Number(match[1]) !== Math.trunc(code / 100)) return undefined;
  return [match[2] ?? "0.0", match[0].length];
}

/** Makes a peer's text fit for logs and reports: bounded, without control and format characters, without line ends. */
function harmless(text: string): string {
  return text
    .slice(0, LONGEST_TEXT)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ")
    .trim()
    .toWellFormed();
}
