import assert from "node:assert/strict";
import { test } from "node:test";
import { deliveredAtOf, idAt, shiftOf } from "../../../../src/parts/archive/model/ids.ts";

test("ids are safe integers from 1, and rise with the time", () => {
  const times = [-1e15, -1, 0, 124, 125, 1000, 1_767_225_600_123, 253_402_300_799_999, 8e15];
  const ids = times.map(idAt);
  assert.ok(ids.every((id) => Number.isSafeInteger(id) && id >= 1));
  assert.deepEqual(
    ids.toSorted((a, b) => a - b),
    ids,
  );
  assert.ok(idAt(1_767_225_600_125) > idAt(1_767_225_600_000));
});

test("the shift gives the time back, also for an id that was moved forward", () => {
  for (const at of [0, 7, 1_767_225_600_123, -5000]) {
    for (const moved of [0, 1, 900]) {
      const id = idAt(at) + moved;
      assert.equal(deliveredAtOf(id, shiftOf(id, at)), at);
    }
  }
});
