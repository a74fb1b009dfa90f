// Things that live as long as somebody holds them.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Closable, Shared } from "../../src/base/shared.ts";

interface Thing extends Closable {
  readonly number: number;
}

function things() {
  const shared = new Shared<Thing>();
  const closed: number[] = [];
  let made = 0;
  const make = (): Thing => {
    const number = ++made;
    return { number, close: () => Promise.resolve(void closed.push(number)) };
  };
  return { shared, closed, take: (key: string) => shared.take(key, make).number };
}

describe("a shared thing", () => {
  /** "+a" takes, "-a" leaves. */
  const table: readonly (readonly [
    steps: string,
    taken: number[],
    closed: number[],
    left: number[],
  ])[] = [
    ["+a", [1], [], [1]],
    ["+a +a", [1, 1], [], [1]],
    ["+a +b +a", [1, 2, 1], [], [1, 2]],
    ["+a -a", [1], [1], []],
    ["+a +a -a", [1, 1], [], [1]],
    ["+a +a -a -a", [1, 1], [1], []],
    ["+a -a +a", [1, 2], [1], [2]],
    ["+a +b -a", [1, 2], [1], [2]],
    ["-a", [], [], []],
    ["+a -a -a", [1], [1], []],
    ["+a -b", [1], [], [1]],
    ["+__proto__ +constructor -__proto__", [1, 2], [1], [2]],
  ];
  for (const [steps, taken, closed, left] of table) {
    it(`is made and closed as its holders come and go: ${steps}`, async () => {
      const { shared, take, ...seen } = things();
      const numbers: number[] = [];
      for (const step of steps.split(" ")) {
        if (step.startsWith("+")) numbers.push(take(step.slice(1)));
        else await shared.leave(step.slice(1));
      }
      assert.deepEqual(numbers, taken);
      assert.deepEqual(seen.closed, closed);
      assert.deepEqual(
        shared.values().map(({ number }) => number),
        left,
      );
    });
  }

  it("is not given to a holder who comes while it closes", async () => {
    const shared = new Shared<Closable>();
    const { promise, resolve } = Promise.withResolvers<void>();
    const first = shared.take("a", () => ({ close: () => promise }));
    const leaving = shared.leave("a");
    const second = { close: () => Promise.resolve() };
    assert.notEqual(
      shared.take("a", () => second),
      first,
    );
    resolve();
    await leaving;
    assert.deepEqual(shared.values(), [second]);
  });

  it("that cannot be made is not held", () => {
    const { shared, take } = things();
    assert.throws(
      () =>
        shared.take("a", () => {
          throw new Error("no");
        }),
      /no/,
    );
    assert.equal(take("a"), 1);
  });
});
