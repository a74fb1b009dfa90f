// Where fields of certain names begin, in whatever parts the header section comes.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { UnwantedNames } from "../../../src/receive/content/unwanted-names.ts";

const names = new UnwantedNames(["x-secret", "a.b"]);

describe("the beginnings of unwanted fields", () => {
  const table: readonly (readonly [part: string, isInLine: boolean, starts: readonly number[]])[] =
    [
      ["", false, []],
      ["X-Secret: a\r\n", false, [0]],
      ["X-Secret: a\r\n", true, []],
      ["To: a\r\nX-Secret: b\r\n", false, [7]],
      ["To: a\r\nX-Secret: b\r\n", true, [7]],
      ["x-SECRET: a\r\nX-secret:b\r\nA.b: c\r\n", false, [0, 13, 25]],
      ["X-Secret \t: a\r\n", false, [0]],
      ["X-Secret\r\n : a\r\n", false, [0]],
      ["X-Secret \r\n\t \t: a\r\n", false, [0]],
      ["X-Secret\r\n: a\r\n", false, []],
      ["X-Secrets: a\r\n", false, []],
      ["XX-Secret: a\r\n", false, []],
      [" X-Secret: a\r\n", false, []],
      ["To: X-Secret: a\r\n", false, []],
      ["To: a\nX-Secret: b\r\n", false, []],
      ["To: a\rX-Secret: b\r\n", false, []],
      ["axb: c\r\n", false, []],
      ["X-Secret", false, []],
    ];
  for (const [part, isInLine, starts] of table) {
    it(`in ${JSON.stringify(part)}${isInLine ? ", in a line," : ""} are ${starts.join(", ") || "none"}`, () => {
      assert.deepEqual([...names.starts(part, isInLine)], starts);
    });
  }
});

describe("the possible beginning of one that is not whole yet", () => {
  const table: readonly (readonly [part: string, isInLine: boolean, start: number])[] = [
    ["", false, 0],
    ["", true, 0],
    ["x", false, 0],
    ["x", true, 1],
    ["X-Secre", false, 0],
    ["X-Secret", false, 0],
    ["X-Secret \t", false, 0],
    ["X-Secret\r", false, 0],
    ["X-Secret\r\n", false, 0],
    ["X-Secret\r\n \t", false, 0],
    ["X-Secret\r\n \tx", false, 13],
    ["X-Secretx", false, 9],
    ["Y", false, 1],
    ["To: a\r\n", false, 7],
    ["To: a\r\nX-", false, 7],
    ["To: a\r\nX-", true, 7],
    ["To: a\r\nX-Secret\r\n ", true, 7],
    ["To: a\r\nTo", false, 9],
    ["To: a\r", false, 5],
    ["To: a\r", true, 5],
    ["\r", true, 0],
    ["To: x-sec", false, 9],
    ["A.", false, 0],
    ["ax", false, 2],
  ];
  for (const [part, isInLine, start] of table) {
    it(`in ${JSON.stringify(part)}${isInLine ? ", in a line," : ""} is ${start}`, () => {
      assert.equal(names.possibleStart(part, isInLine), start);
    });
  }

  it("is before every field that a cut anywhere leaves unfinished", () => {
    const whole = "To: a\r\nX-Secret \r\n\t: b\r\nSubject: c\r\nA.B: d\r\n";
    for (const field of names.starts(whole, false)) {
      const end = whole.indexOf(":", field);
      for (let cut = field + 1; cut <= end; cut++) {
        assert.ok(names.possibleStart(whole.slice(0, cut), false) <= field, `cut at ${cut}`);
      }
    }
  });
});
