// What counts as a field of a header section, and where each one ends.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { endOfField, parseHeaderFields } from "../../src/mail/header-fields.ts";

type Read = readonly [name: string, wellFormed: boolean, value: string];

const read = (section: string) => parseHeaderFields(Buffer.from(section, "latin1"));

describe("parseHeaderFields", () => {
  const table: readonly (readonly [what: string, section: string, fields: readonly Read[]])[] = [
    ["nothing", "", []],
    ["one field", "Subject: hello\r\n", [["subject", true, "hello"]]],
    [
      "fields in their order",
      "B: 1\r\nA: 2\r\nB: 3\r\n",
      [
        ["b", true, "1"],
        ["a", true, "2"],
        ["b", true, "3"],
      ],
    ],
    ["a field without its CRLF", "A: b", [["a", true, "b"]]],
    ["an empty value", "A:\r\n", [["a", true, ""]]],
    ["colons in the value", "A: b: c\r\n", [["a", true, "b: c"]]],
    ["folded lines", "A: b\r\n c\r\n\td\r\n", [["a", true, "b c\td"]]],
    [
      "a value behind the fold",
      "A:\r\n b\r\nC: d\r\n",
      [
        ["a", true, "b"],
        ["c", true, "d"],
      ],
    ],
    ["blanks before the colon", "A \t: b\r\n", [["a", true, "b"]]],
    ["a bare LF, which ends no line", "A: b\nC: d\r\n", [["a", true, "b\nC: d"]]],
    ["a bare CR, which ends no line", "A: b\rC: d\r\n", [["a", true, "b\rC: d"]]],
    ["octets beyond ASCII in the value", "A: \xff\r\n", [["a", true, "\xff"]]],
    ["octets beyond ASCII in the name", "Fr\xf6m: b\r\n", [["fr\xf6m", false, "b"]]],
    ["a NUL in the name", "Fro\0m: b\r\n", [["fro\0m", false, "b"]]],
    ["a blank inside the name", "Fr om: b\r\n", [["fr om", false, "b"]]],
    ["a name whose colon is behind the fold", "From\r\n : b\r\n", [["from", false, "b"]]],
    ["a first line that is a fold", " From: b\r\n", [["from", false, "b"]]],
    ["a line without a colon", "no field\r\n", [["", false, "no field"]]],
    ["a line that begins with its colon", ": b\r\n", [["", false, "b"]]],
    ["an mbox line", "From a@b Thu Jan  1\r\n", [["", false, "From a@b Thu Jan  1"]]],
    [
      "an empty line",
      "A: b\r\n\r\nC: d\r\n",
      [
        ["a", true, "b"],
        ["", false, ""],
        ["c", true, "d"],
      ],
    ],
  ];
  for (const [what, section, fields] of table) {
    it(`reads ${what}, and every octet belongs to one field`, () => {
      const found = read(section) ?? [];
      assert.deepEqual(
        found.map(({ name, wellFormed, value }) => [name, wellFormed, value]),
        fields,
      );
      assert.equal(Buffer.concat(found.map(({ bytes }) => bytes)).toString("latin1"), section);
    });
  }

  it("looks at ten thousand fields, and at none of more", () => {
    assert.equal(read("A: b\r\n".repeat(10_000))?.length, 10_000);
    assert.equal(read("A: b\r\n".repeat(10_001)), undefined);
  });
});

describe("endOfField", () => {
  const table: readonly (readonly [section: string, start: number, end: number])[] = [
    ["", 0, 0],
    ["A: b", 0, 4],
    ["A: b\r\n", 0, 6],
    ["A: b\r\nC: d\r\n", 0, 6],
    ["A: b\r\nC: d\r\n", 6, 12],
    ["A: b\r\n c\r\n\td\r\nE: f\r\n", 0, 14],
    ["A: b\r\n \r\nC: d\r\n", 0, 9],
    ["A: b\r\n c", 0, 8],
    ["A: b\n c\r\n", 0, 9],
    ["\r\n body\r\n", 0, 9],
  ];
  for (const [section, start, end] of table) {
    it(`is ${end} in ${JSON.stringify(section)} from ${start} on`, () => {
      assert.equal(endOfField(section, start), end);
    });
  }
});
