// A rate for each of many keys.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KeyedRate, type Rate } from "../../src/base/keyed-rate.ts";
import { manualClock } from "../support/clock.ts";

/** A wait in milliseconds, or how many of so many are taken, one after the other. */
type Step = { readonly wait: number } | { readonly of: number; readonly taken: number };

const wait = (milliseconds: number): Step => ({ wait: milliseconds });
const take = (of: number, taken: number): Step => ({ of, taken });

/** How many of so many keys of strangers are taken once each. */
function flood(rates: KeyedRate, count: number): number {
  let taken = 0;
  for (let i = 0; i < count; i++) taken += rates.take(`stranger ${i}`) ? 1 : 0;
  return taken;
}

describe("a rate", () => {
  const three: Rate = { count: 3, window: 3000 };
  const table: readonly (readonly [what: string, rate: Rate, steps: readonly Step[]])[] = [
    ["lets its whole count through at once, and no more", three, [take(10, 3)]],
    ["lets one through behind each gap", three, [take(3, 3), wait(1000), take(3, 1)]],
    ["lets none through before the gap is over", three, [take(3, 3), wait(499), take(3, 0)]],
    ["lets two through behind two gaps", three, [take(3, 3), wait(2000), take(3, 2)]],
    ["saves no more than its count", three, [take(3, 3), wait(1_000_000), take(10, 3)]],
    [
      "does not count what it has refused",
      three,
      [take(3, 3), take(100, 0), wait(1000), take(3, 1)],
    ],
    [
      "of one lets one through in its window",
      { count: 1, window: 1000 },
      [take(2, 1), wait(1000), take(2, 1)],
    ],
    [
      "whose gap is no whole number lets all through",
      { count: 7, window: 1000 },
      [take(9, 7), wait(1000), take(9, 7)],
    ],
    [
      "of many in an hour lets all through",
      { count: 100_000, window: 3_600_000 },
      [take(100_001, 100_000)],
    ],
  ];
  for (const [what, rate, steps] of table) {
    it(what, () => {
      const clock = manualClock();
      const rates = new KeyedRate(rate, clock);
      for (const step of steps) {
        if ("wait" in step) clock.advance(step.wait);
        else {
          const takes = Array.from({ length: step.of }, () => rates.take("a"));
          assert.equal(takes.filter(Boolean).length, step.taken);
        }
      }
    });
  }

  const several: readonly (readonly [takes: readonly number[], taken: readonly boolean[]])[] = [
    [[3], [true]],
    [[4], [false]],
    [
      [4, 3],
      [false, true],
    ],
    [
      [2, 2, 1],
      [true, false, true],
    ],
    [
      [0, 3, 0, 1],
      [true, true, true, false],
    ],
    [
      [Number.POSITIVE_INFINITY, 3],
      [false, true],
    ],
  ];
  for (const [takes, taken] of several) {
    it(`of three takes ${takes.join(", then ")} as ${taken.join(", ")}`, () => {
      const rates = new KeyedRate(three, manualClock());
      assert.deepEqual(
        takes.map((count) => rates.take("a", count)),
        taken,
      );
    });
  }

  it("says what it would take, and takes nothing by that", () => {
    const rates = new KeyedRate(three, manualClock());
    for (let i = 0; i < 10; i++) assert.equal(rates.has("a", 3), true);
    assert.equal(rates.has("a", 4), false);
    assert.equal(rates.take("a", 2), true);
    assert.deepEqual([rates.has("a"), rates.has("a", 2)], [true, false]);
  });

  it("counts each key by itself", () => {
    const rates = new KeyedRate({ count: 1, window: 1000 }, manualClock());
    const keys = ["a", "A", "", "__proto__", "constructor"];
    for (const key of keys) assert.equal(rates.take(key), true);
    for (const key of keys) assert.equal(rates.take(key), false);
  });

  it("is not moved by a wall clock that is set", () => {
    const clock = manualClock();
    const rates = new KeyedRate(three, clock);
    assert.equal(rates.take("a", 3), true);
    clock.step(86_400_000);
    assert.equal(rates.take("a"), false);
    clock.step(-2 * 86_400_000);
    clock.advance(1000);
    assert.equal(rates.take("a"), true);
  });
});

describe("the memory of a rate", () => {
  const KEYS_MAX = 100_000;
  const table: readonly (readonly [what: string, before: number, after: number, kept: boolean])[] =
    [
      ["keeps the oldest key as long as there is room", 0, KEYS_MAX - 1, true],
      ["forgets the key that was used longest ago", 0, KEYS_MAX, false],
      ["keeps a key that was used again", 1, KEYS_MAX - 1, true],
    ];
  for (const [what, before, after, kept] of table) {
    it(what, () => {
      const rates = new KeyedRate({ count: 2, window: 1000 }, manualClock());
      assert.equal(rates.take("a"), true);
      for (let i = 0; i < before; i++) assert.equal(rates.take(`before ${i}`), true);
      assert.equal(rates.take("a"), true);
      assert.equal(flood(rates, after), after);
      assert.equal(rates.take("a"), !kept);
    });
  }
});
