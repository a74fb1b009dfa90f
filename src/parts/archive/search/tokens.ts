// The words of a text, for the full-text index and for questions to it.
//
// Invariant: the index and the query see the same words. Both sides go through `folded`, and the tokenizer of SQLite
// splits its result exactly where this file does.
//
// A script that writes no spaces between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese) and Korean, whose endings
// stick to words, are indexed as overlapping pairs of characters: 日本語 as 日本, 本語, 語. A query for 本語 or for 語 finds
// it, so parts of words match there. The last character stands alone too, so a query for a single character is a prefix.

import { hash } from "node:crypto";

/** The tokenizer of every FTS5 table of the archive. Marks belong to their words: Hindi and Arabic words stay whole. */
export const TOKENIZER = "unicode61 remove_diacritics 2 categories 'L* N* M* Co'";

/** A phrase as the index holds it. */
export interface Words {
  /** Never empty. Letters and digits only, so a token needs no escaping. */
  readonly tokens: readonly string[];
  /** The last token is the beginning of a word. */
  readonly isPrefix: boolean;
}

/** Own words of the index begin with a character that no mail brings into it. */
const MARK = "\uE000";

const ASCII = /^[\0-\x7F]*$/;
const FOREIGN = /[^\0-\x7F]+/g;

/** Everything that separates words, in a text without signs and compatibility characters. */
const BETWEEN_WORDS = /[^\p{L}\p{N}\p{M}]+/gu;
/** The same in any text, except signs that stand for words in CJK: ㍿, ㈱, ㍻. */
const SEPARATORS = /[^\p{L}\p{N}\p{M}\p{Cf}\u3200-\u33FF]+|\u200B/gu;

/**
 * Marks that people leave out when they search, and characters without a shape. The marks of Indic scripts are vowels
 * and stay. So do the marks of kana, and the breve of й.
 */
const DIACRITICS =
  /[[\p{M}&&[\p{scx=Latn}\p{sc=Zinh}\p{sc=Grek}\p{sc=Cyrl}\p{sc=Hebr}\p{sc=Arab}\p{sc=Syrc}]]--[\u0306\u3099\u309A]]|(?<![Ии])\u0306|\p{Cf}/gv;

/** Letters that no decomposition turns into their plain form. */
const PLAIN_LETTERS: Readonly<Record<string, string>> = {
  ß: "ss",
  æ: "ae",
  œ: "oe",
  ø: "o",
  ł: "l",
  đ: "d",
  ð: "d",
  þ: "th",
  ı: "i",
  ς: "σ",
};
const SPECIAL_LETTERS = /[ßæœøłđðþıς]/g;

/** A stretch of text whose words are not set apart. */
const RUN =
  /[[\p{scx=Hani}\p{scx=Hira}\p{scx=Kana}\p{scx=Hang}\p{scx=Bopo}\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}]&&[\p{L}\p{M}\p{Nl}]]+/gv;
const HAS_RUN = new RegExp(RUN.source, "v");
/** A line end within such a stretch, as mail programs wrap them. Korean is wrapped at its spaces. */
const WRAP =
  /(?<=[[\p{scx=Hani}\p{scx=Hira}\p{scx=Kana}\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}]&&[\p{L}\p{M}\p{Nl}]])\r?\n(?=[[\p{scx=Hani}\p{scx=Hira}\p{scx=Kana}\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}]&&[\p{L}\p{M}\p{Nl}]])/gv;
const WORD = /[\p{L}\p{N}\p{M}]+/gu;

/** The text as it goes into a column of the full-text index. */
export function indexText(text: string): string {
  if (ASCII.test(text)) return text;
  const plain = folded(text);
  if (!HAS_RUN.test(plain)) return plain;
  return plain.replaceAll(WRAP, "").replaceAll(RUN, (run) => ` ${pairs(run).join(" ")} `);
}

/** The words of a query, to be found one after the other. Undefined if the text holds no word. */
export function queryWords(text: string): Words | undefined {
  const parts = folded(text).toLowerCase().replaceAll(WRAP, "").replaceAll(RUN, " $& ").match(WORD);
  const last = parts?.pop();
  if (parts === undefined || parts === null || last === undefined) return undefined;
  const before = parts.flatMap((part) => (HAS_RUN.test(part) ? pairs(part) : [part]));
  if (!HAS_RUN.test(last)) return { tokens: [...before, last], isPrefix: false };
  // More of the run may follow in the text, so its last character need not stand alone.
  const [first = last, ...rest] = pairs(last);
  return { tokens: [...before, first, ...rest.slice(0, -1)], isPrefix: rest.length === 0 };
}

/**
 * A word of our own in the index: "the account is this one". It consists of letters and digits. Two Message-IDs may
 * share a word: the caller compares them too.
 */
export function markTerm(kind: Exclude<keyof typeof KINDS, "size">, value: string): string {
  const text = kind === "id" ? hash("sha256", value).slice(0, ID_DIGITS) : hexOf(value);
  return MARK + KINDS[kind] + text;
}

/** The word for the sizes from 2 ** (n - 1) on, up to but not including 2 ** n octets. */
export function sizeTerm(size: number): string {
  return `${MARK}${KINDS.size}${sizeClass(size)}`;
}

/** The number of binary digits of a size. */
export function sizeClass(size: number): number {
  return size.toString(2).length;
}

const KINDS = { account: "a", folder: "f", attachment: "h", id: "i", size: "s", unparsed: "u" };
const ID_DIGITS = 12;

/** Hexadecimal digits keep the order of beginnings, so a folder is a prefix of the folders below. */
const hexOf = (value: string) => Buffer.from(value).toString("hex");

/** The characters of a run in overlapping pairs, and the last character. */
function pairs(run: string): string[] {
  const characters = Array.from(run);
  return characters.map((character, at) => character + (characters[at + 1] ?? ""));
}

/** The text without what people leave out or write differently: case, width, diacritics, ligatures. */
function folded(text: string): string {
  return ASCII.test(text) ? text : text.replaceAll(FOREIGN, foldedRun);
}

/** By unit of UTF-16: what it becomes beside any neighbour. UNKNOWN: not asked yet. MANY: it depends, or is longer. */
const single = new Uint16Array(0x1_0000);
const UNKNOWN = 0;
const MANY = 1;

function foldedRun(run: string): string {
  let result = "";
  for (let at = 0; at < run.length; at++) {
    const unit = run.charCodeAt(at);
    if (single[unit] === UNKNOWN) single[unit] = singleUnit(run.charAt(at));
    const plain = single[unit] ?? MANY;
    if (plain === MANY) return foldedInContext(run);
    result += String.fromCharCode(plain);
  }
  return result;
}

/** Marks and the parts of Korean syllables join what is before them, and half a character is nothing by itself. */
const JOINS = /[\p{M}\p{Cf}\p{Cs}\u1100-\u11FF]/u;

function singleUnit(character: string): number {
  const first = character.normalize("NFKD").charAt(0);
  const plain = JOINS.test(first) ? "" : foldedInContext(character);
  return plain.length === 1 ? plain.charCodeAt(0) : MANY;
}

function foldedInContext(run: string): string {
  return run
    .replaceAll(SEPARATORS, " ")
    .normalize("NFKD")
    .replaceAll(DIACRITICS, "")
    .toLowerCase()
    .replaceAll(SPECIAL_LETTERS, (letter) => PLAIN_LETTERS[letter] ?? letter)
    .normalize("NFC")
    .replaceAll(BETWEEN_WORDS, " ");
}
