// The arguments and options of a command.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { word, words } from "../../src/contract/command.ts";

describe("word", () => {
  const texts: readonly (readonly [given: unknown, read: string])[] = [
    ["alice@example.com", "alice@example.com"],
    ["", ""],
    [" ", " "],
    ["--json", "--json"],
    ["\0\n", "\0\n"],
    [25, "25"],
    [true, "true"],
  ];
  for (const [given, read] of texts) {
    it(`reads ${JSON.stringify(given)} as it is`, () => {
      const problems: never[] = [];
      assert.equal(word("<address>", "An address.").read(given, "recipient", problems), read);
      assert.deepEqual(problems, []);
    });
  }

  it("says what it stands for, and must be given", () => {
    const { type, doc, required } = word("<address>", "An address.");
    assert.deepEqual(
      { type, doc, required },
      { type: "<address>", doc: "An address.", required: true },
    );
  });
});

describe("words", () => {
  const given: readonly (readonly [given: unknown, read: readonly string[]])[] = [
    ["example.com", ["example.com"]],
    [
      ["example.com", "example.net"],
      ["example.com", "example.net"],
    ],
    [[""], [""]],
    [[], []],
    [25, ["25"]],
  ];
  for (const [texts, read] of given) {
    it(`reads ${JSON.stringify(texts)} as a list`, () => {
      assert.deepEqual(words("<domain>", "A domain.").read(texts, "domain", []), read);
    });
  }
});
