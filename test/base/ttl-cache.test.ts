import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TtlCache } from "../../src/base/ttl-cache.ts";
import { manualClock } from "../support/clock.ts";

const HOUR = 3_600_000;

describe("a cache of answers", () => {
  test("holds as many octets as it may, and forgets what was not asked for longest", () => {
    const cache = new TtlCache<string>(manualClock(), 10, (_, value) => value.length);
    cache.set("a", "aaaa", HOUR);
    cache.set("b", "bbbb", HOUR);
    assert.equal(cache.get("a"), "aaaa");
    cache.set("c", "cccc", HOUR);
    assert.deepEqual([cache.get("a"), cache.get("b"), cache.get("c")], ["aaaa", undefined, "cccc"]);
    cache.set("d", "ddddddddd", HOUR);
    assert.deepEqual(
      ["a", "c", "d"].map((key) => cache.get(key)),
      [undefined, undefined, "ddddddddd"],
    );
  });

  test("what is larger than all of it is not remembered, and takes nobody's place", () => {
    const cache = new TtlCache<string>(manualClock(), 10, (_, value) => value.length);
    cache.set("a", "aaaa", HOUR);
    cache.set("big", "x".repeat(11), HOUR);
    assert.deepEqual([cache.get("a"), cache.get("big")], ["aaaa", undefined]);
  });

  test("counts what takes the place of another, what has expired and what is forgotten only once", () => {
    const clock = manualClock();
    const cache = new TtlCache<string>(clock, 10, (_, value) => value.length);
    for (let round = 0; round < 20; round++) cache.set("a", "aaaa", HOUR);
    cache.set("b", "bbbb", HOUR);
    assert.deepEqual([cache.get("a"), cache.get("b")], ["aaaa", "bbbb"]);
    for (let round = 0; round < 20; round++) {
      clock.advance(2 * HOUR);
      assert.equal(cache.get("a"), undefined);
      cache.set("a", "aaaaaaaaaa", HOUR);
      assert.equal(cache.get("a"), "aaaaaaaaaa");
    }
    cache.set("a", "", 0);
    assert.equal(cache.get("a"), undefined);
    cache.set("b", "bbbbbbbbbb", HOUR);
    assert.equal(cache.get("b"), "bbbbbbbbbb");
  });

  test("without sizes, counts entries", () => {
    const cache = new TtlCache<number>(manualClock(), 2);
    for (const key of [1, 2, 3]) cache.set(String(key), key, HOUR);
    assert.deepEqual(
      [1, 2, 3].map((key) => cache.get(String(key))),
      [undefined, 2, 3],
    );
  });

  for (const [name, step] of [
    ["back", -400 * 24 * HOUR],
    ["ahead", 400 * 24 * HOUR],
  ] as const) {
    test(`a wall clock that is set ${name} changes no time to live`, () => {
      const clock = manualClock();
      const cache = new TtlCache<string>(clock, 10);
      cache.set("a", "aaaa", HOUR);
      clock.step(step);
      clock.advance(HOUR - 1);
      assert.equal(cache.get("a"), "aaaa");
      clock.advance(1);
      assert.equal(cache.get("a"), undefined);
    });
  }
});
