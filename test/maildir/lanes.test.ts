import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Lanes } from "../../src/maildir/lanes.ts";

/** How many get in at once when the disk takes `milliseconds` for a sync. */
function width(milliseconds: number): number {
  const lanes = new Lanes();
  for (let i = 0; i < 100; i++) lanes.learn(milliseconds);
  let entered = 0;
  while (lanes.enter() === undefined) entered++;
  return entered;
}

describe("lanes", () => {
  it("are few on a fast disk and many on a slow one", () => {
    assert.equal(width(0.2), 3);
    assert.equal(width(2), 8);
    assert.equal(width(20), 16);
  });

  it("serve who waits in order, one for each that leaves", async () => {
    const lanes = new Lanes();
    for (let i = 0; i < 3; i++) assert.equal(lanes.enter(), undefined);
    const served: string[] = [];
    const waiting = ["a", "b"].map((name) => lanes.enter()?.then(() => served.push(name)));
    await Promise.resolve();
    assert.deepEqual(served, []);
    lanes.leave();
    await waiting[0];
    assert.deepEqual(served, ["a"]);
    lanes.leave();
    await waiting[1];
    assert.deepEqual(served, ["a", "b"]);
  });

  it("let more in as soon as the disk turns slow", async () => {
    const lanes = new Lanes();
    for (let i = 0; i < 3; i++) assert.equal(lanes.enter(), undefined);
    const waiting = Array.from({ length: 5 }, async () => lanes.enter());
    for (let i = 0; i < 100; i++) lanes.learn(20);
    lanes.leave();
    await Promise.all(waiting);
  });
});
