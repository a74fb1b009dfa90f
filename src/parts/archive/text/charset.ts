// Octets of any charset to text. Labels are taken as mail in the wild writes them.
//
// Invariant: no label and no octets make this fail. Text without a usable label is UTF-8 if it is valid UTF-8, else
// windows-1252.

import { isAscii, isUtf8 } from "node:buffer";
import { createRequire } from "node:module";

/** Labels that the WHATWG registry lacks, by what they mean. */
const MEANT: Readonly<Record<string, string>> = {
  cp932: "shift_jis",
  "windows-932": "shift_jis",
  cp936: "gbk",
  "windows-936": "gbk",
  cp950: "big5",
  "big-5": "big5",
  big5hkscs: "big5-hkscs",
  gb_18030: "gb18030",
  "gb-18030": "gb18030",
  cp949: "euc-kr",
  uhc: "euc-kr",
  "x-windows-949": "euc-kr",
  ks_c_5601: "euc-kr",
  ksc5601: "euc-kr",
  ks_x_1001: "euc-kr",
  cp51932: "euc-jp",
  "iso-2022-jp-1": "iso-2022-jp",
  "iso-2022-jp-2": "iso-2022-jp",
  "iso-2022-jp-3": "iso-2022-jp",
  "iso-2022-jp-ms": "iso-2022-jp",
  cp50220: "iso-2022-jp",
  cp50221: "iso-2022-jp",
  "unicode-1-1-utf-7": "utf-7",
  "x-unicode-2-0-utf-7": "utf-7",
  "unicode-2-0-utf-7": "utf-7",
  utf7: "utf-7",
  "unicode-1-1": "utf-16be",
  "x-mac-roman": "macintosh",
  "x-macroman": "macintosh",
  "mac-roman": "macintosh",
  "x-user-defined": "",
  "us-ascii": "",
  ascii: "",
  "ansi_x3.4-1968": "",
  "unknown-8bit": "",
  "x-unknown": "",
  "8bit": "",
  binary: "",
  default: "",
  none: "",
};

/** Charsets in which octets below 128 are not always ASCII. */
const STATEFUL = /^(?:utf-?(?:7|16|32)|iso-2022|hz-gb|ucs|unicode)/;

const ESCAPE = 0x1b;

/** Bounded, because only labels of a known charset are kept. */
const decoders = new Map<string, TextDecoder>();

const WINDOWS_1252 = Array.from("€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ");

/** `label` as the message has it; "" if there is none. */
export function decodeText(bytes: Buffer, label: string): string {
  const charset = charsetOf(label);
  if (!STATEFUL.test(charset) && isAscii(bytes)) return bytes.toString("latin1");
  if (charset === "") return guessed(bytes);
  if (charset === "utf-8") return isUtf8(bytes) ? withoutMark(bytes) : broken(bytes);
  if (charset === "windows-1252") return windows1252(bytes);
  if (charset === "iso-2022-kr" || charset === "hz-gb-2312") return shifted(bytes, charset);
  if (charset === "iso-2022-jp") return japanese(bytes);
  return decoderOf(charset)?.decode(bytes) ?? guessed(bytes);
}

/** The name of the charset that a label means; "" where it must be guessed. */
function charsetOf(label: string): string {
  if (label === "") return "";
  const plain = label.toLowerCase().replaceAll(/["'\s]/g, "");
  const name = MEANT[plain] ?? plain;
  switch (name) {
    case "utf8":
    case "utf-8":
    case "x-utf-8":
    case "utf8mb4":
      return "utf-8";
    case "iso-8859-1":
    case "iso8859-1":
    case "iso_8859-1":
    case "latin1":
    case "cp1252":
    case "windows-1252":
      return "windows-1252";
    default:
      return name;
  }
}

interface Decoder {
  decode(bytes: Buffer): string;
}

function decoderOf(charset: string): Decoder | undefined {
  const known = decoders.get(charset);
  if (known !== undefined) return known;
  if (charset.length > 40) return undefined;
  try {
    const decoder = new TextDecoder(charset);
    decoders.set(charset, decoder);
    return decoder;
  } catch {
    return rareDecoder(charset);
  }
}

/** iconv-lite knows some charsets that Node does not. It is loaded when a message needs one of them. */
let iconv: typeof import("iconv-lite") | undefined;

function rareDecoder(charset: string): Decoder | undefined {
  const rare: typeof import("iconv-lite") = (iconv ??= createRequire(import.meta.url)(
    "iconv-lite",
  ));
  if (!rare.encodingExists(charset)) return undefined;
  return { decode: (bytes) => rare.decode(bytes, charset) };
}

function guessed(bytes: Buffer): string {
  return isUtf8(bytes) ? withoutMark(bytes) : windows1252(bytes);
}

function withoutMark(bytes: Buffer): string {
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return bytes.toString("utf8", hasMark ? 3 : 0);
}

/** Text that claims to be UTF-8 and is not: mostly UTF-8 with a few broken octets, or windows-1252 throughout. */
function broken(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  let balance = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char >= 0x80) balance += char === 0xfffd ? 1 : -1;
  }
  return balance > 0 ? windows1252(bytes) : text;
}

function windows1252(bytes: Buffer): string {
  const text = bytes.toString("latin1");
  return text.replaceAll(/[\x80-\x9f]/g, (char) => WINDOWS_1252[char.charCodeAt(0) - 0x80] ?? char);
}

/**
 * ISO-2022-JP. A decoder takes two escapes in a row for an error, but encoded words that follow one another, and lines,
 * end and begin with one each.
 */
function japanese(bytes: Buffer): string {
  const plain = Buffer.allocUnsafe(bytes.length);
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    const isEmptyRun =
      bytes[at] === ESCAPE &&
      bytes[at + 1] === 0x28 &&
      (bytes[at + 2] === 0x42 || bytes[at + 2] === 0x4a) &&
      bytes[at + 3] === ESCAPE;
    if (isEmptyRun) at += 2;
    else plain[length++] = bytes[at] ?? 0;
  }
  return decoderOf("iso-2022-jp")?.decode(plain.subarray(0, length)) ?? bytes.toString("latin1");
}

/**
 * ISO-2022-KR (RFC 1557) and HZ (RFC 1843): text of seven bits in which shifts begin and end runs of pairs. With the
 * high bit set, the pairs are EUC-KR and GB 2312.
 */
function shifted(bytes: Buffer, charset: "iso-2022-kr" | "hz-gb-2312"): string {
  const text = bytes.toString("latin1");
  const isKorean = charset === "iso-2022-kr";
  const plain = isKorean ? withoutShifts(text) : withoutTildes(text);
  return decoderOf(isKorean ? "euc-kr" : "gbk")?.decode(Buffer.from(plain, "latin1")) ?? plain;
}

/** SO begins a run, SI or the line end ends it. */
function withoutShifts(text: string): string {
  const [first = "", ...runs] = text.replaceAll("\x1b$)C", "").split("\x0e");
  const pieces = runs.map((piece) => {
    const shiftIn = piece.indexOf("\x0f");
    const end = shiftIn < 0 ? piece.length : shiftIn;
    return highBits(piece.slice(0, end)) + piece.slice(end + 1);
  });
  return first + pieces.join("");
}

function withoutTildes(text: string): string {
  const pattern = /~\{([^\n]*?)(?:~\}|(?=\n)|$)|~(~)|~\n/g;
  return text.replaceAll(pattern, (_all, run: string | undefined, tilde: string | undefined) =>
    run === undefined ? (tilde ?? "") : highBits(run),
  );
}

function highBits(run: string): string {
  const octets = Buffer.from(run, "latin1");
  for (const [at, octet] of octets.entries()) if (octet > 0x20) octets[at] = octet | 0x80;
  return octets.toString("latin1");
}
