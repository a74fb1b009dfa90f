// Text of strangers, fit to stand in a report.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  asciiLine,
  foldedField,
  isAscii,
  letterDate,
  mailDate,
  oneLine,
  wrapText,
} from "../../src/mail/text.ts";

describe("one line of a stranger's text", () => {
  const table: readonly (readonly [written: string, line: string, ascii: string])[] = [
    ["", "", ""],
    ["hello world", "hello world", "hello world"],
    ["  hello \t world  ", "hello world", "hello world"],
    ["a\r\nBcc: b@example.net", "a Bcc: b@example.net", "a Bcc: b@example.net"],
    ["a\nb\rc", "a b c", "a b c"],
    ["a\0b\u001b[31mc\u007fd", "a b [31mc d", "a b [31mc d"],
    ["a\u0085b\u2028c\u2029d", "a b c d", "a b c d"],
    ["a\u202eb\u200bc", "a b c", "a b c"],
    ["a\u00a0b\u3000c", "a b c", "a b c"],
    ["a\ud800b", "a b", "a b"],
    ["bj\u00f8rn", "bj\u00f8rn", "bj?rn"],
    ["\u{1f600}!", "\u{1f600}!", "?!"],
    ["\ufffd", "\ufffd", "?"],
  ];
  for (const [written, line, ascii] of table) {
    it(`of ${JSON.stringify(written)} is ${JSON.stringify(line)}`, () => {
      assert.equal(oneLine(written), line);
      assert.equal(asciiLine(written), ascii);
    });
  }
});

describe("isAscii", () => {
  const table: readonly (readonly [text: string, isSo: boolean])[] = [
    ["", true],
    ["a\0\r\n\u007f~", true],
    ["\u0080", false],
    ["a\n\u00e9", false],
    ["\u00e9\na", false],
    ["\u{1f600}", false],
  ];
  for (const [text, isSo] of table) {
    it(`is ${isSo} of ${JSON.stringify(text)}`, () => assert.equal(isAscii(text), isSo));
  }
});

const a = (count: number) => "a".repeat(count);

describe("wrapText", () => {
  type Given = readonly [text: string, indent?: string, first?: string];
  const table: readonly (readonly [what: string, given: Given, lines: readonly string[]])[] = [
    ["an empty text", [""], [""]],
    ["a short text", ["a b c"], ["a b c"]],
    ["a text of 76 characters", [`${a(37)} ${a(38)}`], [`${a(37)} ${a(38)}`]],
    ["a text of 77 characters", [`${a(38)} ${a(38)}`], [a(38), a(38)]],
    ["an indented text", [`${a(37)} ${a(37)} b`, "  "], [`  ${a(37)}`, `  ${a(37)} b`]],
    [
      "another beginning",
      [`${a(37)} ${a(33)} b`, " ", "From: "],
      [`From: ${a(37)}`, ` ${a(33)} b`],
    ],
    ["a long word", [`b ${a(100)} c`], ["b", a(100), "c"]],
    ["a long word behind the beginning", [a(100), " ", "From: "], [`From: ${a(100)}`]],
    ["a word of 900 octets", [a(900)], [a(900)]],
    ["a word of 901 octets", [a(901)], [a(225), a(225), a(225), a(225), "a"]],
    [
      "a word of 902 octets in 451 characters",
      ["\u00e9".repeat(451)],
      ["\u00e9".repeat(225), "\u00e9".repeat(225), "\u00e9"],
    ],
    [
      "a word of characters that are two units each",
      ["\u{1f600}".repeat(226)],
      ["\u{1f600}".repeat(225), "\u{1f600}"],
    ],
  ];
  for (const [what, given, lines] of table) {
    it(`wraps ${what}`, () => assert.equal(wrapText(...given), lines.join("\r\n")));
  }
});

describe("foldedField", () => {
  const table: readonly (readonly [value: string, field: string])[] = [
    ["", "X-Said: \r\n"],
    ["hello", "X-Said: hello\r\n"],
    [`${"a".repeat(60)} ${"b".repeat(60)}`, `X-Said: ${"a".repeat(60)}\r\n ${"b".repeat(60)}\r\n`],
  ];
  for (const [value, field] of table) {
    it(`of ${value.length} characters`, () => assert.equal(foldedField("X-Said", value), field));
  }

  const hostile = [
    "a\r\nBcc: b@example.net\r\n\r\nbody",
    "\u2028".repeat(2000),
    "\u{1f600}".repeat(2000),
    `${"a".repeat(70)} `.repeat(100),
    "a".repeat(5000),
    "\0\r\n ".repeat(500),
  ];
  for (const [index, text] of hostile.entries()) {
    for (const clean of [oneLine, asciiLine]) {
      it(`is one field after ${clean.name}, whatever a stranger wrote (${index + 1})`, () => {
        const lines = foldedField("X-Said", clean(text)).split("\r\n");
        assert.equal(lines.pop(), "");
        assert.match(lines[0] ?? "", /^X-Said: /);
        for (const line of lines) {
          assert.ok(Buffer.byteLength(line) <= 998);
          assert.doesNotMatch(line, /\p{Cc}/u);
        }
        for (const line of lines.slice(1)) assert.match(line, /^ \S/);
      });
    }
  }
});

describe("a date", () => {
  const table: readonly (readonly [time: number, mail: string, letter: string])[] = [
    [0, "Thu, 01 Jan 1970 00:00:00 +0000", "Thu, 01 Jan 1970, 00:00 UTC"],
    [
      Date.UTC(2026, 10, 22, 9, 0, 59, 999),
      "Sun, 22 Nov 2026 09:00:59 +0000",
      "Sun, 22 Nov 2026, 09:00 UTC",
    ],
    [
      Date.UTC(2028, 1, 29, 23, 59, 59),
      "Tue, 29 Feb 2028 23:59:59 +0000",
      "Tue, 29 Feb 2028, 23:59 UTC",
    ],
  ];
  for (const [time, mail, letter] of table) {
    it(`for mail and for people: ${letter}`, () => {
      assert.equal(mailDate(time), mail);
      assert.equal(letterDate(time), letter);
    });
  }
});
