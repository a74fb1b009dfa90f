// Replies of an SMTP server, as a client reads them (RFC 5321 4.2). The peer is hostile until proven otherwise:
// lines, their number and their sum are bounded, of a long reply only the beginning and the last line are held, and
// text becomes a Status only without control characters and cut to a bounded length, so it can never forge a log line
// or a report. A line may end in a bare LF: reading that leniently harms nobody, because nothing of ours is parsed here.
//
// Lines of one reply with different codes: the last line's code counts if all are of one class (RFC 5321 4.2.1 lets
// a client look at any of them). If they are not, it is unknown what was meant: the reply is a temporary error, it is
// about the command that it answers, and the connection is of no further use. So it is after a refusal that is longer
// than the bounds: what has come of it is the answer.

import { status, type Status } from "../../mail/status.ts";

export interface Reply {
  /** 200 to 599. */
  readonly code: number;
  /** The texts after the code, raw; at least one. Of a long reply those in the middle are missing. */
  readonly lines: readonly string[];
  /** Nothing can be read behind it: it contradicts itself, or is too long. */
  readonly unfinished?: true;
}

/** The peer broke the protocol; the message says how. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** Octets of one line; RFC 5321 4.5.3.1.5 allows for 512. */
const LONGEST_LINE = 2048;
/** Of one reply. */
const MOST_LINES = 100;
const MOST_BYTES = 64 * 1024;
/** Octets of the lines that are held. */
const MOST_HELD = 8 * 1024;
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

  /** The reply that this line completes, if it is a last line. */
  #line(bytes: Buffer, start: number, end: number): Reply | undefined {
    if (end - start > LONGEST_LINE) throw tooLong();
    const line = bytes.toString("utf8", start, end);
    const code = codeOf(line);
    if (code === undefined) throw new ProtocolError("a line that is no SMTP reply");
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
  return new ProtocolError("a reply beyond all measure");
}

/**
 * "250", "250 text" and "250-text" have one; a bare code is allowed (RFC 5321 4.2). So has "250<TAB>text": a host that
 * says it has taken the message, and must not get it twice.
 */
function codeOf(line: string): number | undefined {
  return /^[2-5]\d\d(?:[\s-]|$)/.test(line) ? Number(line.slice(0, 3)) : undefined;
}

/** 2xx, the answer that a command hopes for. */
export function isPositive(reply: Reply): boolean {
  return reply.code < 300;
}

/** After it the connection is of no further use, whatever it answers (RFC 5321 3.8). */
export function isLastOne({ code, unfinished }: Reply): boolean {
  return code === 421 || unfinished === true;
}

/**
 * The status that a 2xx, 4xx or 5xx reply amounts to. The enhanced code (RFC 2034) is taken from the text if its
 * class agrees with the code, that of the last line first; else it is x.0.0.
 */
export function replyStatus(reply: Reply): Status {
  const found = reply.lines
    .map((line) => enhancedCode(line, reply.code))
    .findLast((one) => one !== undefined);
  const text = reply.lines
    .map((line) => line.slice(enhancedCode(line, reply.code)?.[1] ?? 0))
    .join(" ");
  return {
    ...status(reply.code, found?.[0] ?? "0.0", harmless(text) || "(no text)"),
    remote: true,
    ...(found === undefined ? { bare: true } : {}),
  };
}

/** What follows the class digit, and how long the code and the space after it are. */
function enhancedCode(line: string, code: number): readonly [string, number] | undefined {
  const match = /^([245])\.(\d{1,3}\.\d{1,3})(?: +|$)/.exec(line);
  if (match === null || Number(match[1]) !== Math.trunc(code / 100)) return undefined;
  return [match[2] ?? "0.0", match[0].length];
}

/** Text of a peer, fit for logs and reports: no control or format characters, no line ends, bounded. */
function harmless(text: string): string {
  return text
    .slice(0, LONGEST_TEXT)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ")
    .trim()
    .toWellFormed();
}
