// Many recipients of one message, and domains whose DNS does not answer: nobody waits for them but their own mail.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { routeAll } from "../../src/queue/route-all.ts";
import { manualClock } from "../support/clock.ts";
import { delivery, DONE, message, MINUTE, quiet, recipient, runner } from "./runner.ts";

const MOMENT = 100;

/** A message to `slow` recipients whose domains are silent until `answer`, and then to these. */
function mail(slow: number, ...good: readonly string[]) {
  const silent = Promise.withResolvers<void>();
  const asked: string[] = [];
  const addresses = [...Array.from({ length: slow }, (_, n) => `x@silent${n}.test`), ...good];
  const recipients = addresses.map((address, position) => recipient(position, address));
  const run = runner(
    [message("a", { recipients })],
    () => DONE,
    async (address) => {
      asked.push(address);
      if (address.includes("silent")) await silent.promise;
      return { deliveries: [delivery(address, "file"), delivery(address, "smtp")] };
    },
  );
  /** So many moments go by. */
  const moments = async (count: number) => {
    for (let moment = 0; moment < count; moment++) {
      run.clock.advance(MOMENT);
      await quiet();
    }
  };
  return { ...run, asked, moments, answer: () => silent.resolve() };
}

describe("a recipient whose domain answers", () => {
  for (const [slow, patience] of [
    [1, 1],
    [100, 7],
    [999, 52],
  ] as const) {
    test(`has the mail and the copy after ${patience} moments, although ${slow} others are silent`, async () => {
      const { queue, batches, clock, moments, answer, spool } = mail(slow, "alice@example.com");
      queue.wake();
      await quiet();
      await moments(patience);
      assert.deepEqual(batches, ["copy alice@example.com", "alice@example.com"]);
      assert.equal(spool.noted.length, 2);
      answer();
      await moments(5);
      // For some there was no room to be looked up.
      clock.advance(MINUTE);
      await quiet();
      assert.equal(spool.held.size, 0);
    });
  }

  test("goes together with those who are routed in the same moment, and not with those behind", async () => {
    const { queue, batches, moments, answer } = mail(2, "alice@example.com", "bob@example.com");
    queue.wake();
    await quiet();
    assert.deepEqual(batches, []);
    await moments(1);
    assert.deepEqual(batches.slice(1), ["alice@example.com bob@example.com"]);
    answer();
    await quiet();
    assert.equal(batches.at(-1), "x@silent0.test x@silent1.test");
  });

  test("does not wait at all when it is alone", async () => {
    const { queue, batches } = mail(0, "alice@example.com");
    queue.wake();
    await quiet();
    assert.equal(batches.length, 2);
  });
});

const never = () => new Promise<void>(() => undefined);

describe("the recipients of a message", () => {
  test("are routed twenty at a time, and one more for each that takes long", async () => {
    const clock = manualClock();
    const pool = { slow: 0 };
    let asked = 0;
    const ask = () => {
      asked += 1;
      return never();
    };
    void routeAll(Array.from({ length: 100 }), { pool, clock }, ask);
    for (const [begun, slow] of [
      [20, 0],
      [40, 20],
      [60, 40],
    ]) {
      await quiet();
      assert.deepEqual([asked, pool.slow], [begun, slow]);
      clock.advance(MOMENT);
    }
  });

  test("that take long are a thousand at most, of all messages together", async () => {
    const clock = manualClock();
    const pool = { slow: 0 };
    let asked = 0;
    const ask = () => {
      asked += 1;
      return never();
    };
    for (let one = 0; one < 3; one++) {
      void routeAll(Array.from({ length: 1000 }), { pool, clock }, ask);
    }
    for (let moment = 0; moment < 200; moment++) {
      await quiet();
      clock.advance(MOMENT);
    }
    assert.deepEqual([asked, pool.slow], [1060, 1000]);
  });

  test("give their places back, also when one fails", async () => {
    const clock = manualClock();
    const pool = { slow: 0 };
    const waiting: (() => void)[] = [];
    const all = routeAll(Array.from({ length: 50 }), { pool, clock }, async () => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      throw new Error("boom");
    });
    const failed = assert.rejects(all, /boom/);
    for (let moment = 0; moment < 5; moment++) {
      await quiet();
      clock.advance(MOMENT);
    }
    assert.equal(pool.slow, 50);
    for (const go of waiting) go();
    await failed;
    assert.deepEqual([pool.slow, clock.pending], [0, 0]);
  });
});
