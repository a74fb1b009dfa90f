import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { WrongPasswords } from "../../src/users/wrong-passwords.ts";
import { manualClock } from "../support/clock.ts";

const USER = "alice@example.com";

function limiter() {
  const clock = manualClock();
  const wrong = new WrongPasswords(clock);
  /** The wait of a wrong guess; undefined if it is put off. */
  const guess = (client: string, user = USER): number | undefined => {
    const turn = wrong.take(client, user);
    if ("retryAfter" in turn) return undefined;
    turn.settle("wrong");
    return turn.wait;
  };
  return { clock, wrong, guess };
}

describe("wrong passwords", () => {
  test("of one client: four at once, from the fifth on each waits a second longer, then it is put off", () => {
    const { guess } = limiter();
    const waits = Array.from({ length: 30 }, () => guess("192.0.2.1"));
    assert.deepEqual(waits.slice(0, 7), [0, 0, 0, 0, 1000, 2000, 3000]);
    assert.equal(waits.at(-1), undefined);
    assert.ok(waits.filter((wait) => wait !== undefined && wait <= 4000).length <= 30);
  });
  test("of one client for many users count together", () => {
    const { guess } = limiter();
    const waits = Array.from({ length: 5 }, (_, index) =>
      guess("192.0.2.1", `u${index}@x.example`),
    );
    assert.deepEqual(waits, [0, 0, 0, 0, 1000]);
  });
  test("guesses at the same time count before they are judged", () => {
    const { wrong } = limiter();
    const turns = Array.from({ length: 5 }, () => wrong.take("192.0.2.1", USER));
    assert.deepEqual(
      turns.map((turn) => "wait" in turn && turn.wait),
      [0, 0, 0, 0, 1000],
    );
  });
  test("right passwords never add up", () => {
    const { wrong } = limiter();
    for (let count = 0; count < 100; count++) {
      const turn = wrong.take("192.0.2.1", USER);
      assert.ok("wait" in turn && turn.wait === 0);
      turn.settle("right");
    }
  });
  for (const [name, client] of [
    ["/24", (index: number) => `192.0.2.${index}`],
    ["/64", (index: number) => `2001:db8::${index.toString(16)}`],
  ] as const) {
    test(`of a ${name}: forty at once, then they wait`, () => {
      const { guess } = limiter();
      const waits = Array.from({ length: 50 }, (_, index) => guess(client(index), `u${index}@x.y`));
      assert.ok(waits.slice(0, 40).every((wait) => wait === 0));
      assert.ok(waits.slice(40).every((wait) => wait === undefined || wait >= 700));
    });
  }
  test("a user that is attacked from many addresses waits at most 2 s elsewhere, and is never put off", () => {
    const { guess, wrong } = limiter();
    for (let index = 0; index < 5000; index++) guess(`10.${index % 200}.${index >> 8}.1`);
    const turn = wrong.take("198.51.100.7", USER);
    assert.ok("wait" in turn && turn.wait <= 2000);
    const other = wrong.take("198.51.100.7", "bob@example.com");
    assert.ok("wait" in other && other.wait === 0);
  });
  test("leave a client clean that has none", () => {
    const { guess, wrong } = limiter();
    const isClean = (client: string) => {
      const turn = wrong.take(client, USER);
      assert.ok("wait" in turn);
      turn.settle("unjudged");
      return turn.isClean;
    };
    assert.ok(isClean("192.0.2.1"));
    guess("192.0.2.1");
    assert.ok(!isClean("192.0.2.1"));
    assert.ok(isClean("198.51.100.1"), "though the user was attacked");
  });
  test("are forgotten with time", () => {
    const { clock, guess } = limiter();
    for (let count = 0; count < 8; count++) guess("192.0.2.1");
    clock.advance(2 * 3_600_000);
    assert.equal(guess("192.0.2.1"), 0);
  });
  test("guesses that were not judged do not count", () => {
    const { wrong } = limiter();
    for (let count = 0; count < 20; count++) {
      const turn = wrong.take("192.0.2.1", USER);
      assert.ok("wait" in turn && turn.wait === 0);
      turn.settle("unjudged");
    }
  });
  test("of a flood from many /64s, with the longest names, take at most 16 MB", () => {
    const { clock, guess } = limiter();
    const collect = collector();
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let index = 0; index < 12_000; index++) {
      clock.advance(50);
      const [high, low] = [index >> 8, index & 0xff].map((part) => part.toString(16));
      guess(`2001:db8:${high}:${low}:1111:2222:3333:4444`, `${index}`.padEnd(127, "я"));
    }
    collect();
    const grown = (process.memoryUsage().heapUsed - before) / 2 ** 20;
    assert.ok(grown < 16, `${grown} MB`);
    assert.equal(guess("192.0.2.1"), 0);
  });
});

function collector(): () => void {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  assert.ok(typeof collect === "function");
  return () => void Reflect.apply(collect, undefined, []);
}
