// Values of fields as text: encoded words (RFC 2047) and octets above 127 decoded, white space in one piece.

import { decodeText } from "./charset.ts";
import { decodeBase64, decodeTransfer } from "./transfer.ts";

/** Blanks within a word are against the RFC, and common. */
const WORD = /=\?([^?\s]{1,80})\?([bBqQ])\?([^?]*)\?=/g;

interface Run {
  charset: string;
  readonly pieces: Buffer[];
}

/** `value` has one character for each octet. `charset` is the likely charset of octets above 127, "" if unknown. */
export function fieldText(value: string, charset = ""): string {
  if (!value.includes("=?")) return cleaned(rawText(value, charset));
  let text = "";
  let end = 0;
  // Words in a row become one text: white space between them is left out (RFC 2047 6.2), and broken encoders split
  // a character over two words.
  let run: Run | undefined;
  for (const match of value.matchAll(WORD)) {
    const between = value.slice(end, match.index);
    const label = (match[1] ?? "").split("*", 1)[0] ?? "";
    if (run !== undefined && (between.trim() !== "" || run.charset !== label)) {
      text += runText(run);
      run = undefined;
    }
    if (between.trim() !== "" || end === 0) text += rawText(between, charset);
    run ??= { charset: label, pieces: [] };
    run.pieces.push(wordOctets(match[2] ?? "", match[3] ?? ""));
    end = match.index + match[0].length;
  }
  if (run !== undefined) text += runText(run);
  return cleaned(text + rawText(value.slice(end), charset));
}

function runText(run: Run): string {
  const [first] = run.pieces;
  const octets = run.pieces.length === 1 && first !== undefined ? first : Buffer.concat(run.pieces);
  return decodeText(octets, run.charset);
}

function wordOctets(encoding: string, text: string): Buffer {
  if (encoding === "b" || encoding === "B") return decodeBase64(text);
  return decodeTransfer(Buffer.from(text.replaceAll("_", " "), "latin1"), "quoted-printable");
}

/** Text outside of encoded words. */
function rawText(value: string, charset: string): string {
  const isPlain = !/[\u0080-\u00ff]/.test(value) && !value.includes("\x1b");
  return isPlain ? value : rawOctets(Buffer.from(value, "latin1"), charset);
}

function rawOctets(octets: Buffer, charset: string): string {
  const guess = decodeText(octets, "");
  // Valid UTF-8 by chance is rare enough; a guess of windows-1252 gives way to the charset that the message names.
  return charset === "" || (Buffer.from(guess, "utf8").equals(octets) && !octets.includes(0x1b))
    ? guess
    : decodeText(octets, charset);
}

/** Control characters and white space in a row become one space. */
function cleaned(text: string): string {
  return /\p{Cc}|  /u.test(text) ? text.replaceAll(/[\p{Cc} ]+/gu, " ").trim() : text.trim();
}
