import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseLsearch } from "../../src/lists/lsearch-text.ts";

describe("an lsearch file", () => {
  const cases: readonly (readonly [string, string, Readonly<Record<string, string>>])[] = [
    ["a key alone is its own canonical name", "alice\n", { alice: "alice" }],
    ["the value is the canonical name", "bob.smith: bob\n", { "bob.smith": "bob" }],
    ["the last line needs no line end", "alice\nbob", { alice: "alice", bob: "bob" }],
    [
      "keys and values are lower-cased",
      "Alice\nBob.Smith: BOB\n",
      { alice: "alice", "bob.smith": "bob" },
    ],
    ["the first of equal keys wins", "bob: one\nBOB: two\n", { bob: "one" }],
    ["a key ends at a colon", "a:b c\n", { a: "b c" }],
    ["a key ends at white space", "a b\nc\td\n", { a: "b", c: "d" }],
    ["spaces may stand around the colon", "a  :  b  \n", { a: "b" }],
    ["only one colon goes", "a::b\n", { a: ":b" }],
    ["a colon with nothing after it is a key alone", "a:\nb :  \n", { a: "a", b: "b" }],
    ["comments and blank lines are skipped", "# x\n\nalice\n   \n#bob\n", { alice: "alice" }],
    ["a hash inside a line is text", "a#b: c#d\n", { "a#b": "c#d" }],
    ["an indented line continues the value", "a: one\n   two\n\tthree\n", { a: "one two three" }],
    ["a value may stand on the next line", "a:\n  b\nc\n  d\n", { a: "b", c: "d" }],
    [
      "comments and blank lines do not end a value",
      "a: one\n# x\n\n  two\nb\n",
      { a: "one two", b: "b" },
    ],
    ["an indented key is no key", "alice\n bob\n", { alice: "bob" }],
    ["an indented first line belongs to nothing", "  bob\nalice\n", { alice: "alice" }],
    ["a quoted key may hold anything", '"a b:c": d\n"E": \n', { "a b:c": "d", e: "e" }],
    ["a quoted key has C escapes", '"a\\"b\\\\c\\x41\\101\\t" : d\n', { 'a"b\\caa\t': "d" }],
    ["a quote that never ends takes the line", '"a b: c\n', { "a b: c": "a b: c" }],
    ["an empty key is nobody", ': alice\n"": bob\n', {}],
    ["CRLF line ends are white space", "alice\r\nbob: b\r\n\r\n", { alice: "alice", bob: "b" }],
    ["white space at the end of a line is no part of a value", "a: b \r\n c\t\r\n", { a: "b c" }],
    [
      "nothing is a prototype",
      "__proto__: x\nconstructor\n",
      { ["__proto__"]: "x", constructor: "constructor" },
    ],
    ["an empty file has no keys", "", {}],
  ];
  for (const [name, text, table] of cases) {
    test(name, async () => {
      assert.deepEqual([...(await parseLsearch(text))], Object.entries(table));
    });
  }

  test("a large file is read in slices that let other work run", async () => {
    const lines = Array.from({ length: 100_000 }, (_, index) => `user${index}: account${index}`);
    let turns = 0;
    const counting = setInterval(() => (turns += 1), 0);
    const table = await parseLsearch(lines.join("\n"));
    clearInterval(counting);
    assert.equal(table.size, 100_000);
    assert.equal(table.get("user99999"), "account99999");
    assert.ok(turns > 0);
  });
});
