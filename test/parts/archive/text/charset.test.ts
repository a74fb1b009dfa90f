// Charsets by the labels that mail has in the wild.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decodeText } from "../../../../src/parts/archive/text/charset.ts";

const octets = (hex: string) => Buffer.from(hex.replaceAll(" ", ""), "hex");

const JAPANESE = "日本語";
const CASES: readonly (readonly [labels: string, hex: string, text: string])[] = [
  ["utf-8 UTF8 x-utf-8 'utf-8'", "c3a9 e282ac", "é€"],
  ["iso-8859-1 latin1 ISO_8859-1 cp1252 windows-1252", "e9 80 93", "é€“"],
  ["iso-8859-2 latin2", "b1", "ą"],
  ["iso-8859-15", "a4", "€"],
  ["windows-1251 cp1251", "cff0e8e2e5f2", "Привет"],
  ["koi8-r", "f0d2c9d7c5d4", "Привет"],
  ["shift_jis x-sjis cp932 ms932 windows-31j Shift-JIS", "93fa967b8cea", JAPANESE],
  ["euc-jp x-euc-jp", "c6fccbdcb8ec", JAPANESE],
  ["iso-2022-jp ISO-2022-JP-MS cp50221", "1b2442 467c4b5c386c 1b2842", JAPANESE],
  ["iso-2022-jp", "1b2442 467c4b5c 1b2842 1b2442 386c 1b284a 1b2842 41", `${JAPANESE}A`],
  ["gb2312 gbk cp936 gb18030 x-gbk GB_2312-80", "d6d0cec4", "中文"],
  // A character of GBK that GB 2312 lacks, under the label gb2312.
  ["gb2312", "e946", "镕"],
  ["big5 cp950 big5-hkscs x-x-big5", "a4a4a4e5", "中文"],
  ["euc-kr ks_c_5601 ks_c_5601-1987 cp949 x-windows-949 ksc5601", "c7d1b1db", "한글"],
  ["iso-2022-kr", "1b242943 0e 4751315b 0f 21", "한글!"],
  ["hz-gb-2312", "7e7b 56504e44 7e7d 7e7e", "中文~"],
  ["utf-7 unicode-1-1-utf-7", "2b41 4f6b 2d", "é"],
  ["utf-16le", "e900", "é"],
  ["utf-16be", "00e9", "é"],
  ["cp437", "82", "é"],
  ["cp850 ibm850", "82", "é"],
  ["cp866", "8fe0", "Пр"],
  ["tis-620 windows-874", "a1", "ก"],
  ["macintosh x-mac-roman", "8e", "é"],
];

describe("charsets", () => {
  for (const [labels, hex, text] of CASES) {
    test(`${labels}: ${text}`, () => {
      for (const label of labels.split(" ")) {
        assert.equal(decodeText(octets(hex), label), text, label);
        assert.equal(decodeText(octets(hex), ` "${label.toUpperCase()}" `), text, label);
      }
    });
  }

  test("without a usable label, UTF-8 if it is valid, else windows-1252", () => {
    for (const label of [
      "",
      "us-ascii",
      "unknown-8bit",
      "x-user-defined",
      "x-nonsense",
      "default",
      "replacement",
      "a".repeat(5000),
    ]) {
      assert.equal(decodeText(octets("c3a9"), label), "é", label);
      assert.equal(decodeText(octets("e9 80"), label), "é€", label);
    }
  });

  test("UTF-8 with a broken octet stays UTF-8; windows-1252 under the label of UTF-8 is windows-1252", () => {
    assert.equal(decodeText(octets("c3a9 c3a8 e9 c3a0"), "utf-8"), "éè\uFFFDà");
    assert.equal(decodeText(Buffer.from("caf\xe9", "latin1"), "utf-8"), "café");
  });

  test("a byte order mark is no text", () => {
    assert.equal(decodeText(octets("efbbbf 41 c3a9"), "utf-8"), "Aé");
    assert.equal(decodeText(octets("fffe 4100"), "utf-16"), "A");
  });

  test("no octets make a decoder fail", () => {
    const all = Buffer.from(Array.from({ length: 512 }, (_none, at) => (at * 7) % 256));
    const labels = CASES.flatMap(([list]) => list.split(" "));
    for (const label of labels) assert.equal(typeof decodeText(all, label), "string", label);
  });
});
