// Makes text from clients and hosts safe for a report: no control bytes, no overlong line, no way to end a header field
// early (RFC 5322 2.1.1, 2.2.3). Everything that a report quotes goes through here.

/** True for text without characters above 127. */
export function isAscii(text: string): boolean {
  return /^[\0-\x7f]*$/.test(text);
}

/** One line: control characters and runs of white space become one space. */
export function oneLine(text: string): string {
  return text.replaceAll(/[\p{C}\p{Z}]+/gu, " ").trim();
}

/** Like `oneLine`, but ASCII only: other characters become "?". */
export function asciiLine(text: string): string {
  return oneLine(text).replaceAll(/[^\x20-\x7e]/gu, "?");
}

/** The spelling of quoted text in a whole report: `asciiLine`, or `oneLine` in an internationalized one. */
export type Cleaner = (text: string) => string;

const LINE_WIDTH = 76;
/** In bytes. Together with a field name before it, it stays below the 998 of RFC 5322. */
const LONGEST_WORD = 900;

/** Words in lines of at most 76 characters, each after `indent`. A word longer than 900 bytes is cut into pieces. */
export function wrapText(text: string, indent = "", first = indent): string {
  const lines: string[] = [];
  let line = first;
  let isFresh = true;
  for (const word of text.split(" ").flatMap(cutUp)) {
    if (!isFresh && line.length + 1 + word.length > LINE_WIDTH) {
      lines.push(line);
      line = indent;
      isFresh = true;
    }
    line += isFresh ? word : ` ${word}`;
    isFresh = false;
  }
  return [...lines, line].join("\r\n");
}

function cutUp(word: string): string[] {
  const fits = Buffer.byteLength(word) <= LONGEST_WORD;
  return fits ? [word] : (word.match(/.{1,225}/gu) ?? []); // 225 characters are 900 bytes at most.
}

/** A header field with its CRLF, folded. The value must have been cleaned already. */
export function foldedField(name: string, value: string): string {
  return `${wrapText(value, " ", `${name}: `)}\r\n`;
}

/** Date as in RFC 5322 3.3, in UTC. */
export function mailDate(time: number): string {
  return new Date(time).toUTCString().replace("GMT", "+0000");
}

/** For people: "Sun, 22 Nov 2026, 09:00 UTC". */
export function letterDate(time: number): string {
  return new Date(time).toUTCString().replace(/ (\S+):\d\d GMT$/, ", $1 UTC");
}
