// The clock of the machine, as the relay asks it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { systemClock } from "../../src/base/clock.ts";

describe("the system clock", () => {
  it("says what the machine's two clocks say", (t) => {
    t.mock.method(Date, "now", () => 1_767_225_600_123);
    t.mock.method(performance, "now", () => 142.875);
    assert.equal(systemClock.now(), 1_767_225_600_123);
    assert.equal(systemClock.monotonic(), 142.875);
  });

  const table: readonly (readonly [asked: number, set: number])[] = [
    [0, 0],
    [1, 1],
    [60_000, 60_000],
    [0.5, 0.5],
    [-1, 0],
    [Number.NEGATIVE_INFINITY, 0],
    [2 ** 31 - 1, 2 ** 31 - 1],
    [2 ** 31, 2 ** 31 - 1],
    [Number.POSITIVE_INFINITY, 2 ** 31 - 1],
  ];
  for (const [asked, set] of table) {
    it(`sets a timer of ${set} ms where ${asked} are asked for, and keeps no process alive`, (t) => {
      const timeout = t.mock.method(globalThis, "setTimeout");
      systemClock.after(asked, () => undefined).cancel();
      const [call] = timeout.mock.calls;
      assert.equal(call?.arguments[1], set);
      assert.equal(call?.result?.hasRef(), false);
    });
  }

  it("runs what was asked for once, and nothing that was cancelled", (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const ran: string[] = [];
    systemClock.after(10, () => ran.push("kept"));
    systemClock.after(10, () => ran.push("cancelled")).cancel();
    t.mock.timers.tick(9);
    assert.deepEqual(ran, []);
    t.mock.timers.tick(1000);
    assert.deepEqual(ran, ["kept"]);
  });
});
