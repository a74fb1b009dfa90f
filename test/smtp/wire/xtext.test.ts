import assert from "node:assert/strict";
import { test } from "node:test";

import { asciiAddress, decodeXtext, unicodeAddress } from "../../../src/smtp/wire/xtext.ts";

test("xtext is decoded, and what is none stays", () => {
  assert.equal(decodeXtext("QQ+2B+3D+20x"), "QQ+= x");
  assert.equal(decodeXtext("a+2b+Z+"), "a+2b+Z+");
});

test("an internationalized address has a plain form and one in ASCII", () => {
  assert.equal(unicodeAddress("bj\\x{F8}rn\\x{1F4E7}@x"), "bjørn📧@x");
  assert.equal(asciiAddress("bjørn📧+x@x"), "bj\\x{F8}rn\\x{1F4E7}\\x{2B}x@x");
  assert.equal(unicodeAddress(asciiAddress("\\x{41} =é\n")), "\\x{41} =é\n");
});

test("what is no character stays as it is", () => {
  for (const text of ["\\x{D800}", "\\x{110000}", "\\x{}", "\\x{1234567}"]) {
    assert.equal(unicodeAddress(text), text);
  }
});
