import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { linesBeyond } from "../../../../src/parts/archive/text/words.ts";

describe("the lines of an HTML text beyond the plain text", () => {
  for (const [plain, html, wanted] of [
    ["one two", "one two", ""],
    ["one two", "one\ntwo", ""],
    ["one two", "one\n\nthree\n \ntwo\none", "one\nthree\ntwo"],
    ["a b c d e", "a\nb\nnew\nc\nd\ne", "b\nnew\nc"],
    ["", "anything", "anything"],
    ["x".repeat(300_000), "x\ny", "x\ny"],
  ] as const) {
    test(JSON.stringify([plain.slice(0, 20), html]), () => {
      assert.equal(linesBeyond(plain, html), wanted);
    });
  }
});
