// Ids of messages, as text and as numbers.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { idNumber, idText } from "../../src/mail/ids.ts";

describe("an id", () => {
  const table: readonly (readonly [id: number, text: string])[] = [
    [0, "0000000000"],
    [1, "0000000001"],
    [35, "000000000z"],
    [36, "0000000010"],
    [36 ** 9, "1000000000"],
    [36 ** 10 - 1, "zzzzzzzzzz"],
    [Number.MAX_SAFE_INTEGER, "2gosa7pa2gv"],
  ];
  for (const [id, text] of table) {
    it(`${id} is ${text}, and back`, () => {
      assert.equal(idText(id), text);
      assert.equal(idNumber(text), id);
    });
  }

  it("sorts as text as it does as a number: by the time of arrival", () => {
    const times = [0, 1, 35, 36, 1e6, Date.UTC(2026, 0, 1) * 1000, Date.UTC(2085, 0, 1) * 1000];
    assert.deepEqual(times.map(idText).toSorted(), times.map(idText));
    assert.ok(times.map(idText).every(({ length }) => length === 10));
  });

  for (const text of ["", "-", "!", "\u00fc"]) {
    it(`is no number in ${JSON.stringify(text)}`, () => assert.ok(Number.isNaN(idNumber(text))));
  }
});
