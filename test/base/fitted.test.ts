import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fitted } from "../../src/base/fitted.ts";

describe("a text in a column", () => {
  test("is filled with blanks, or cut", () => {
    assert.equal(fitted("abc", 5), "abc  ");
    assert.equal(fitted("abcde", 5), "abcde");
    assert.equal(fitted("abcdef", 5), "abcd…");
    assert.equal(fitted("", 3), "   ");
    assert.equal(fitted("grün", 5), "grün ");
    assert.equal(fitted("grünes", 5), "grün…");
  });

  test("characters of two columns are counted twice, and never halved", () => {
    assert.equal(fitted("日本", 5), "日本 ");
    assert.equal(fitted("日本語", 5), "日本…");
    assert.equal(fitted("日本語", 4), "日… ");
    assert.equal(fitted("日本語", 6), "日本語");
    assert.equal(fitted("한국", 4), "한국");
    assert.equal(fitted("👍👍", 3), "👍…");
    assert.equal(fitted("ｶﾅ", 3), "ｶﾅ ");
  });

  test("marks take no column, and stay with their letter", () => {
    assert.equal(fitted("e\u0301te\u0301", 3), "e\u0301te\u0301");
    assert.equal(fitted("e\u0301te\u0301s", 3), "e\u0301t…");
  });
});
