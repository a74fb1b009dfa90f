// Orders by chance, each as likely as any other.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { shuffled } from "../../src/base/shuffled.ts";

/** The order of `items` for every course that chance can take. */
function orders(t: TestContext, items: readonly string[]): string[] {
  const random = t.mock.method(Math, "random");
  const courses = items.reduce((count, _, index) => count * (index + 1), 1);
  return Array.from({ length: courses }, (_, course) => {
    let rest = course;
    let choices = 0;
    random.mock.mockImplementation(() => {
      choices += 1;
      const choice = rest % choices;
      rest = Math.floor(rest / choices);
      return choice / choices;
    });
    return shuffled(items).join("");
  });
}

describe("shuffled", () => {
  const table: readonly (readonly [items: string, orders: readonly string[]])[] = [
    ["", [""]],
    ["a", ["a"]],
    ["ab", ["ab", "ba"]],
    ["abc", ["abc", "acb", "bac", "bca", "cab", "cba"]],
  ];
  for (const [items, every] of table) {
    it(`gives each order of "${items}" once for every course of chance`, (t) => {
      assert.deepEqual(orders(t, items.split("")).toSorted(), every);
    });
  }

  it("gives all twenty-four orders of four, too", (t) => {
    assert.equal(new Set(orders(t, ["a", "b", "c", "d"])).size, 24);
  });

  it("leaves its items as they are", () => {
    const items = Object.freeze(["a", "b", "c"]);
    assert.deepEqual(shuffled(items).toSorted(), ["a", "b", "c"]);
    assert.deepEqual(items, ["a", "b", "c"]);
  });
});
