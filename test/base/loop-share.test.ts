import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LoopShare } from "../../src/base/loop-share.ts";

const KILOBYTE = 1024;
const MEGABYTE = 1024 * KILOBYTE;

/** So much of somebody's work, a kilobyte at a time; `done` hears of each. */
function work(share: LoopShare, kilobytes: number, done: () => void): () => void {
  let left = kilobytes;
  const turn = () => {
    for (; left > 0; left--) {
      if (!share.take(KILOBYTE)) return share.later(turn);
      done();
    }
  };
  return turn;
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe("the share of a turn of the event loop", () => {
  test("is bounded, however much there is to do, and all of it gets done", async () => {
    const share = new LoopShare();
    const perTurn: number[] = [];
    let done = 0;
    for (let n = 0; n < 100; n++) share.do(work(share, 40, () => done++));
    for (let before = 0; before < 4000;) {
      perTurn.push(done - before);
      before = done;
      await nextTurn();
    }
    assert.equal(done, 4000);
    assert.ok(Math.max(...perTurn) * KILOBYTE <= MEGABYTE, `${perTurn.join()} kB a turn`);
    assert.ok(perTurn.length >= 4);
  });

  test("is divided: who has much to do does not keep the others waiting until the end", async () => {
    const share = new LoopShare();
    const order: string[] = [];
    share.do(work(share, 2000, () => order.push("big")));
    for (let n = 0; n < 5; n++) share.do(work(share, 1, () => order.push("small")));
    while (order.length < 2005) await nextTurn();
    assert.ok(
      order.lastIndexOf("small") < 500,
      `the last small one came as ${order.lastIndexOf("small")}th`,
    );
  });

  test("lets work that also waits for other things go on until it is spent, and then in later turns", async () => {
    let now = 0;
    const share = new LoopShare({ now: () => now, after: () => undefined });
    assert.equal(share.turn(KILOBYTE), undefined);
    now = 25;
    const turns: string[] = [];
    const first = share.turn(MEGABYTE)?.then(() => turns.push("first"));
    const second = share.turn(MEGABYTE)?.then(() => turns.push("second"));
    assert.ok(first !== undefined && second !== undefined, "the time of the turn is over");
    await first;
    assert.deepEqual(turns, ["first"]);
    await second;
    assert.deepEqual(turns, ["first", "second"]);
  });

  test("goes to those who wait in the order in which they came, newcomers last", async () => {
    const share = new LoopShare();
    const order: string[] = [];
    while (share.take(64 * KILOBYTE)) share.do(() => undefined);
    for (const name of ["a", "b", "c"]) share.do(() => order.push(name));
    assert.equal(order.length, 0);
    setImmediate(() => share.do(() => order.push("d")));
    await nextTurn();
    await nextTurn();
    assert.deepEqual(order, ["a", "b", "c", "d"]);
  });

  test("ends when the turn has lasted its time, however little was said to cost", async () => {
    let now = 0;
    const share = new LoopShare({ now: () => now, after: () => undefined });
    const done: number[] = [];
    const slow = () => {
      share.take(1);
      now += 9;
      done.push(now);
    };
    for (let n = 0; n < 12; n++) share.do(slow);
    const perTurn = [done.length];
    for (let before = done.length; done.length < 12; before = done.length) {
      await nextTurn();
      perTurn.push(done.length - before);
    }
    assert.deepEqual(perTurn, [3, 3, 3, 3]);
    await nextTurn();
    await nextTurn();
    now += 1000;
    share.do(slow);
    assert.equal(done.length, 13, "a turn in which nothing was done takes no time");
  });

  test("is there at once while nobody waits", () => {
    const share = new LoopShare();
    let done = 0;
    share.do(work(share, 10, () => done++));
    assert.equal(done, 10);
  });
});
