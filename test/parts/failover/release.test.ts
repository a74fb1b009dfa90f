// The release of mail that waits: its order, its rate, and when it pauses.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Release, type ReleaseRate } from "../../../src/parts/failover/release.ts";
import type { Withheld, WithheldKey } from "../../../src/spool/spool.ts";
import { memorySpool } from "../../../src/spool/memory/memory.ts";
import { envelope, mailbox, storedMessage, storedRecipient } from "../../support/build.ts";
import { manualClock } from "../../support/clock.ts";

/** A release of mail for these addresses, oldest first, whose ids are 0, 1, 2, … */
function releasing(addresses: readonly string[], rate: ReleaseRate) {
  const clock = manualClock();
  const spool = memorySpool(clock);
  const at = clock.now();
  const released: string[] = [];
  const count = { untried: [] as readonly Withheld[], atHosts: 0 };
  let over: number | undefined;
  for (const [index, address] of addresses.entries()) {
    const held = { mailbox: mailbox(address), heldTransport: "gmail", withheld: true } as const;
    const recipients = [storedRecipient({ ...held, nextAttempt: at + 3_600_000 })];
    const id = String(index).padStart(10, "0");
    spool.put(storedMessage({ envelope: envelope({ id }), state: "queued", recipients }));
  }
  const release = new Release(rate, {
    clock,
    spool: {
      withheld: (most, after) => spool.withheld(most, after),
      async releaseWithheld(which: readonly WithheldKey[], forced?: true) {
        released.push(...which.map(({ id }) => `${Number(id)}${forced === true ? "!" : ""}`));
        await spool.releaseWithheld(which, forced);
      },
      releasedWithheld: async () => count,
    },
    wake: () => undefined,
    onOver: async (recipients) => void (over = recipients),
    onError: (error) => assert.fail(String(error)),
  });
  const passes = async (milliseconds: number) => {
    for (let passed = 0; passed < milliseconds; passed += 100) {
      clock.advance(100);
      for (let turn = 0; turn < 30; turn++) await setImmediate();
    }
  };
  return { release, released, count, passes, isOver: () => over, spool };
}

const A = "a@example.com";
const B = "b@example.com";

describe("a release", () => {
  test("gives each recipient its oldest mail first, at the rate", async () => {
    const { release, released, passes, isOver } = releasing([A, A, B, A, B], {
      count: 1,
      window: 1000,
    });
    release.start();
    await passes(200);
    assert.deepEqual(released, ["0!", "2"]);
    await passes(800);
    assert.deepEqual(released, ["0!", "2"]);
    await passes(300);
    assert.deepEqual(released, ["0!", "2", "1", "4"]);
    assert.equal(isOver(), undefined);
    await passes(2500);
    assert.deepEqual([released.at(-1), isOver()], ["3", 5]);
  });

  test("counts the suffixes of an address as one account", async () => {
    const { release, released, passes } = releasing(["a+x@example.com", "A+y@example.com", A], {
      count: 1,
      window: 1000,
    });
    release.start();
    await passes(500);
    assert.deepEqual(released, ["0!"]);
  });

  test("makes no burst of a rate above one a tick", async () => {
    const { release, released, passes } = releasing(Array<string>(100).fill(A), {
      count: 50,
      window: 1000,
    });
    release.start();
    await passes(1000);
    assert.ok(released.length >= 45 && released.length <= 51, String(released.length));
  });

  test("pauses while released mail waits for a host, and while too much is untried", async () => {
    const { release, released, passes, count } = releasing([A, A, A], { count: 1, window: 100 });
    count.atHosts = 1;
    release.start();
    await passes(3000);
    assert.deepEqual(released, ["0!"]);
    count.atHosts = 0;
    count.untried = Array.from({ length: 1000 }, () => ({ id: "x", position: 0, address: B }));
    await passes(3000);
    assert.deepEqual(released, ["0!"]);
    count.untried = [];
    await passes(3000);
    assert.deepEqual(released, ["0!", "1", "2"]);
  });

  test("keeps the order of a recipient whose mail is under way", async () => {
    const { release, released, passes, count } = releasing([A, A, B], { count: 1, window: 200 });
    release.start();
    await passes(200);
    assert.deepEqual(released, ["0!", "2"]);
    count.untried = [{ id: "0000000000", position: 0, address: "A+x@example.com" }];
    await passes(3000);
    assert.deepEqual(released, ["0!", "2"]);
    count.untried = [];
    await passes(100);
    assert.deepEqual(released, ["0!", "2", "1"]);
  });

  test("is over only when all was attempted, and takes what came meanwhile", async () => {
    const { release, released, passes, count, isOver, spool } = releasing([A], {
      count: 10,
      window: 1000,
    });
    count.untried = [{ id: "0000000000", position: 0, address: A }];
    release.start();
    await passes(3000);
    assert.deepEqual([released, isOver()], [["0!"], undefined]);
    const held = { mailbox: mailbox(B), heldTransport: "gmail", withheld: true } as const;
    const message = storedMessage({
      envelope: envelope({ id: "0000000009" }),
      state: "queued",
      recipients: [storedRecipient(held)],
    });
    spool.put(message);
    count.untried = [];
    await passes(3000);
    assert.deepEqual([released, isOver()], [["0!", "9"], 2]);
  });

  test("releases nothing after it was stopped", async () => {
    const { release, released, passes } = releasing([A, A], { count: 1, window: 1000 });
    release.start();
    await passes(100);
    await release.stop();
    await passes(5000);
    assert.deepEqual(released, ["0!"]);
  });

  test("waits for the first message, which goes whatever is known of its host", async () => {
    const { release, released, passes, count } = releasing([A, B, B], { count: 10, window: 1000 });
    release.start();
    await passes(100);
    count.untried = [{ id: "0000000000", position: 0, address: A }];
    await passes(3000);
    assert.deepEqual(released, ["0!"]);
    count.untried = [];
    await passes(300);
    assert.deepEqual(released, ["0!", "1", "2"]);
  });
});
