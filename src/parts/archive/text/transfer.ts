// Content transfer encodings (RFC 2045 6) undone, as far as broken encoders allow.

/** A part's octets without their transfer encoding. An unknown encoding leaves them as they are. */
export function decodeTransfer(bytes: Buffer, encoding: string): Buffer {
  if (encoding === "base64") return decodeBase64(bytes.toString("latin1"));
  if (encoding === "quoted-printable") return decodeQuotedPrintable(bytes);
  return bytes;
}

/** Characters outside of the alphabet are ignored. Padding may stand in the middle, where encoders joined two texts. */
export function decodeBase64(text: string): Buffer {
  const end = text.indexOf("=");
  if (end < 0 || !/[^=\s]/.test(text.slice(end, end + 4096))) return Buffer.from(text, "base64");
  const pieces = text.split(/=+/, 1000).map((piece) => Buffer.from(piece, "base64"));
  return Buffer.concat(pieces);
}

const EQUALS = 61;
const LF = 10;
const CR = 13;
const SPACE = 32;
const TAB = 9;

function decodeQuotedPrintable(bytes: Buffer): Buffer {
  let found = bytes.indexOf(EQUALS);
  if (found < 0) return bytes;
  const into = Buffer.allocUnsafe(bytes.length);
  let written = 0;
  let from = 0;
  while (found >= 0) {
    written += bytes.copy(into, written, from, found);
    const next = bytes[found + 1] ?? LF;
    const high = hexDigit(next);
    const low = hexDigit(bytes[found + 2] ?? LF);
    if (high >= 0 && low >= 0) {
      into[written++] = high * 16 + low;
      from = found + 3;
    } else {
      const lineEnd = softBreakEnd(bytes, found + 1);
      if (lineEnd < 0) into[written++] = EQUALS;
      from = lineEnd < 0 ? found + 1 : lineEnd;
    }
    found = indexOfEquals(bytes, from);
  }
  written += bytes.copy(into, written, from);
  return into.subarray(0, written);
}

/** In text with many encoded octets the next is near: a call of indexOf would cost more than the search. */
function indexOfEquals(bytes: Buffer, from: number): number {
  const near = Math.min(from + 32, bytes.length);
  for (let at = from; at < near; at++) if (bytes[at] === EQUALS) return at;
  return near === bytes.length ? -1 : bytes.indexOf(EQUALS, near);
}

/** The position after a soft line break whose "=" stood before `at`, or -1. Blanks before the line end are ignored. */
function softBreakEnd(bytes: Buffer, start: number): number {
  let at = start;
  while (bytes[at] === SPACE || bytes[at] === TAB) at++;
  if (at >= bytes.length) return bytes.length;
  if (bytes[at] === CR) at++;
  return bytes[at] === LF ? at + 1 : -1;
}

function hexDigit(char: number): number {
  if (char >= 48 && char <= 57) return char - 48;
  if (char >= 65 && char <= 70) return char - 55;
  if (char >= 97 && char <= 102) return char - 87;
  return -1;
}
