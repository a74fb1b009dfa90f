// Fields as text: RFC 2047, as encoders write it and as broken encoders do.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fieldText } from "../../../../src/parts/archive/text/encoded-words.ts";
import { utf8 } from "../../../support/extracted.ts";

const b64 = (octets: Buffer) => octets.toString("base64");

describe("fields as text", () => {
  const cases: readonly (readonly [field: string, text: string])[] = [
    ["plain", "plain"],
    ["=?utf-8?q?caf=C3=A9_au_lait?=", "café au lait"],
    ["=?UTF-8?B?w6k=?= and =?iso-8859-1?Q?=E9?=", "é and é"],
    // White space between words goes, also a fold; between a word and text it stays.
    ["=?utf-8?q?a?=   =?utf-8?q?b?=", "ab"],
    ["=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"],
    ["=?utf-8*en?q?caf=C3=A9?=", "café"],
    ["x=?utf-8?q?=C3=A9?=y", "xéy"],
    // Blanks inside a word, which the RFC forbids.
    ["=?utf-8?Q?two words?=", "two words"],
    ["=?utf-8?b?w6k?=", "é"],
    // No encoded words.
    ["=?utf-8?x?abc?=", "=?utf-8?x?abc?="],
    ["=? =?q? ?=", "=? =?q? ?="],
    ["=?utf-8?q??=", ""],
    ["=?gb2312?B?1tDOxA==?=", "中文"],
    ["=?ks_c_5601-1987?B?x9Gx2w==?=", "한글"],
    ["=?iso-2022-jp?B?GyRCRnxLXDhsGyhC?=", "日本語"],
    ["=?iso-2022-jp?B?GyRCRnxLXBsoQg==?= =?iso-2022-jp?B?GyRCOGwbKEI=?=", "日本語"],
    ["two\tblanks  \x00 here", "two blanks here"],
  ];
  for (const [field, text] of cases)
    test(JSON.stringify(field), () => assert.equal(fieldText(field), text));

  test("a character split over two words, at every place, in both encodings", () => {
    const octets = Buffer.from("日本語 é", "utf8");
    for (let at = 1; at < octets.length; at++) {
      const [first, last] = [octets.subarray(0, at), octets.subarray(at)];
      assert.equal(fieldText(`=?utf-8?B?${b64(first)}?=\r\n =?utf-8?B?${b64(last)}?=`), "日本語 é");
      const quoted = [first, last].map((part) => part.toString("hex").replaceAll(/../g, "=$&"));
      assert.equal(fieldText(`=?utf-8?q?${quoted[0]}?= =?utf-8?q?${quoted[1]}?=`), "日本語 é");
      assert.equal(fieldText(`=?utf-8?q?${quoted[0]}?= =?utf-8?B?${b64(last)}?=`), "日本語 é");
    }
  });

  test("raw octets: UTF-8, else the charset of the message, else windows-1252", () => {
    assert.equal(fieldText(utf8("Grüße")), "Grüße");
    assert.equal(fieldText("Gr\xfc\xdfe"), "Grüße");
    assert.equal(fieldText("\xf0\xd2\xc9\xd7\xc5\xd4", "koi8-r"), "Привет");
    assert.equal(fieldText(utf8("Grüße"), "koi8-r"), "Grüße");
    assert.equal(fieldText("\xd6\xd0\xce\xc4", "gb2312"), "中文");
    assert.equal(fieldText("caf\xe9", "utf-8"), "café");
    assert.equal(fieldText(`${utf8("Grüße")} =?utf-8?q?=C3=A9?= ${utf8("ü")}`), "Grüße é ü");
    assert.equal(fieldText("\x1b$BF|K\\8l\x1b(B", "iso-2022-jp"), "日本語");
  });
});
