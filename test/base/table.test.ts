// Values that count as tables, and those that do not.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isTable } from "../../src/base/table.ts";

describe("isTable", () => {
  const table: readonly (readonly [what: string, value: unknown, isSo: boolean])[] = [
    ["an empty table", {}, true],
    ["a table", { a: 1 }, true],
    ["a table without a prototype", Object.create(null), true],
    ["a table as JSON has it", JSON.parse('{"__proto__":1}'), true],
    ["a list", [], false],
    ["a list of tables", [{}], false],
    ["a date", new Date(0), false],
    ["null", null, false],
    ["nothing", undefined, false],
    ["a text", "{}", false],
    ["a number", 1, false],
    ["a large number", 1n, false],
    ["a function", () => ({}), false],
  ];
  for (const [what, value, isSo] of table) {
    it(`is ${isSo} of ${what}`, () => assert.equal(isTable(value), isSo));
  }
});
