// When mail is attempted, what is said of it meanwhile, and how the queue stops.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { Outcome } from "../../src/contract/contract.ts";
import type { StoredRecipient } from "../../src/spool/spool.ts";
import { status } from "../../src/mail/status.ts";
import {
  DONE,
  HOUR,
  later,
  LATER,
  message,
  MINUTE,
  quiet,
  recipient,
  runner,
  START,
} from "./runner.ts";

describe("attempts", () => {
  test("begin when their time has come, the oldest first", async () => {
    const messages = [
      message("late", { recipients: [recipient(0, "late@example.com", START + HOUR)] }),
      message("second", { recipients: [recipient(0, "second@example.com", START - 1)] }),
      message("first", { recipients: [recipient(0, "first@example.com", START - 2)] }),
    ];
    const { queue, clock, batches } = runner(messages, () => DONE);
    queue.wake();
    await quiet();
    assert.deepEqual(batches, ["first@example.com", "second@example.com"]);
    clock.advance(HOUR - 1);
    await quiet();
    assert.equal(batches.length, 2);
    clock.advance(1);
    await quiet();
    assert.equal(batches[2], "late@example.com");
  });

  test("follow each other until the message is done", async () => {
    const outcomes = [LATER, LATER, DONE];
    const { queue, clock, batches, spool, log } = runner(
      [message("a")],
      () => outcomes.shift() ?? DONE,
    );
    queue.wake();
    await quiet();
    for (let hour = 0; hour < 3; hour++) {
      clock.advance(HOUR);
      await quiet();
    }
    assert.equal(batches.length, 3);
    assert.equal(spool.held.size, 0);
    assert.equal(log.named("message.completed").length, 1);
  });

  test("are one at a time for a message, however often the queue is woken", async () => {
    const host = later();
    const { queue, clock, batches } = runner([message("a")], host.answer);
    for (let wakes = 0; wakes < 5; wakes++) {
      queue.wake();
      await quiet();
      clock.advance(MINUTE);
    }
    assert.deepEqual(batches, ["a@example.com"]);
    host.all(DONE);
    await quiet();
    assert.equal(queue.activeCount, 0);
  });

  test("hold forty messages in memory, and the next is read when one ends", async () => {
    const host = later();
    const messages = Array.from({ length: 62 }, (_, index) => message(`m${index}`));
    const { queue, spool } = runner(messages, host.answer);
    queue.wake();
    await quiet();
    assert.deepEqual([queue.activeCount, host.waiting.length], [40, 40]);
    host.waiting.shift()?.(DONE);
    await quiet();
    assert.deepEqual([queue.activeCount, host.waiting.length], [40, 40]);
    host.all(DONE);
    await quiet();
    host.all(DONE);
    await quiet();
    assert.deepEqual([queue.activeCount, spool.held.size], [0, 0]);
  });

  test("that take their time do not count against the forty; five hundred is the end", async () => {
    const host = later();
    const messages = Array.from({ length: 502 }, (_, index) => message(`m${index}`));
    const { queue, clock, spool } = runner(messages, host.answer);
    queue.wake();
    await quiet();
    for (const expected of [80, 120, 160, 200, 240, 280, 320, 360, 400, 440, 480, 500, 500]) {
      clock.advance(250);
      await quiet();
      assert.equal(queue.activeCount, expected);
    }
    assert.equal(queue.hasRoom, false);
    host.waiting.shift()?.(DONE);
    await quiet();
    assert.deepEqual([queue.activeCount, host.waiting.length], [500, 500]);
    host.all(DONE);
    await quiet();
    host.all(DONE);
    await quiet();
    assert.deepEqual([queue.activeCount, queue.hasRoom, spool.held.size], [0, true, 0]);
  });

  test("whose look-ups take long leave room for others, and come back without having failed", async () => {
    const slow = Array.from({ length: 700 }, (_, index) =>
      message(`slow${index}`, {
        recipients: [recipient(0, `user@slow${index}.example`, START - 1)],
      }),
    );
    const never = new Promise<never>(() => undefined);
    const { queue, clock, batches, spool } = runner(
      [...slow, message("good")],
      () => DONE,
      (address) => (address.includes("slow") ? never : {}),
    );
    queue.wake();
    await quiet();
    for (let turns = 0; turns < 30 && batches.length === 0; turns++) {
      assert.ok(queue.activeCount <= 450, `${queue.activeCount}`);
      clock.advance(250);
      await quiet();
    }
    assert.deepEqual(batches, ["good@example.com"]);
    const put = [...spool.held.values()].flatMap(({ state, recipients }) =>
      state === "queued" ? recipients : [],
    );
    const waited = put.filter(({ lastStatus }) => lastStatus !== undefined);
    assert.ok(waited.length > 0);
    for (const { attempts, nextAttempt, lastStatus } of waited) {
      assert.equal(attempts, 0);
      assert.ok(nextAttempt > clock.now() && nextAttempt <= clock.now() + 3 * MINUTE);
      assert.match(lastStatus?.text ?? "", /^Waits for look-ups of the domain/);
    }
  });

  test("that hang do not become young again when the clock is set back by an hour", async () => {
    const host = later();
    const messages = Array.from({ length: 60 }, (_, index) => message(`m${index}`));
    const { queue, clock, spool } = runner(messages, host.answer);
    queue.wake();
    await quiet();
    assert.equal(queue.activeCount, 40);
    clock.step(-HOUR);
    // What still waits is due by this clock too.
    for (const one of spool.held.values())
      if (one.state === "queued")
        spool.held.set(one.envelope.id, {
          ...one,
          recipients: [recipient(0, "late@example.com", START - HOUR)],
        });
    clock.advance(250);
    await quiet();
    assert.equal(queue.activeCount, 60);
  });

  test("of mail that has just come in do not keep the queue waiting", async () => {
    const host = later();
    const { queue, spool, batches } = runner([message("old")], host.answer);
    for (let n = 0; n < 150; n++) {
      const fresh = message(`new${n}`, { state: "active" });
      spool.held.set(fresh.envelope.id, fresh);
      queue.attempt(fresh);
    }
    queue.wake();
    await quiet();
    assert.ok(batches.includes("old@example.com"));
    host.all(DONE);
    await quiet();
  });

  test("leave alone a recipient whose time has not come, or who is done", async () => {
    const recipients: StoredRecipient[] = [
      recipient(0, "now@example.com"),
      recipient(1, "later@example.com", START + HOUR),
      { ...recipient(2, "done@example.com"), state: "delivered" },
      { ...recipient(3, "frozen@example.com"), state: "frozen" },
    ];
    const { queue, batches, spool } = runner([message("a", { recipients })], () => DONE);
    queue.wake();
    await quiet();
    assert.deepEqual(batches, ["now@example.com"]);
    assert.deepEqual(
      spool.held.get("a")?.recipients.map(({ state }) => state),
      ["delivered", "pending", "delivered", "frozen"],
    );
  });

  test("note each delivery as soon as it is done", async () => {
    const { queue, spool } = runner([message("a")], () => DONE);
    queue.wake();
    await quiet();
    assert.deepEqual(spool.noted, [
      {
        target: "a@example.com",
        outcome: "delivered",
        at: START,
        position: 0,
        address: "a@example.com",
        router: "smtp",
        transport: "smtp",
      },
    ]);
  });

  test("are told to stop after an hour, and the message waits", async () => {
    let reason: unknown;
    const { queue, clock, spool } = runner([message("a")], (_, signal) => {
      return new Promise((resolve) =>
        signal.addEventListener("abort", () => {
          reason = signal.reason;
          resolve(LATER);
        }),
      );
    });
    queue.wake();
    await quiet();
    clock.advance(HOUR);
    await quiet();
    assert.match(String(reason), /took too long/);
    assert.equal(spool.held.get("a")?.state, "queued");
  });

  test("route many recipients side by side: a slow domain does not hold up the others", async () => {
    let open: (() => void) | undefined;
    const slow = new Promise<void>((resolve) => (open = resolve));
    const asked: string[] = [];
    const recipients = Array.from({ length: 3 }, (_, index) =>
      recipient(index, `r${index}@d${index}.test`),
    );
    const { queue, batches } = runner(
      [message("a", { recipients })],
      () => DONE,
      async (address) => {
        asked.push(address);
        if (address.startsWith("r0")) await slow;
        return {};
      },
    );
    queue.wake();
    await quiet();
    assert.equal(asked.length, 3);
    open?.();
    await quiet();
    assert.deepEqual(batches, ["r0@d0.test r1@d1.test r2@d2.test"]);
  });

  test("of reports begin at once", async () => {
    const refused: Outcome = { kind: "failed", status: status(550, "1.1", "no") };
    const { queue, batches } = runner([message("a")], ({ envelope: { sender } }) =>
      sender === null ? DONE : refused,
    );
    queue.wake();
    await quiet();
    assert.deepEqual(batches, ["a@example.com", "alice@example.org"]);
  });
});

describe("a client that waits for what the next host says", () => {
  const REFUSED: Outcome = { kind: "failed", status: status(554, "7.1", "spam") };
  const active = message("a", { state: "active" });

  test("hears of a refusal when it is written down, not before", async () => {
    const { spool, clock, passOn } = runner([active], () => REFUSED);
    spool.troubles.settle.push(new Error("disk full"));
    const told = passOn("a@example.com");
    await quiet();
    assert.equal(await Promise.race([told, setImmediate("nothing yet")]), "nothing yet");
    clock.advance(1000);
    assert.deepEqual(await told, REFUSED.status);
    assert.equal(spool.held.size, 0);
  });

  test("hears of no refusal that is not written down: the message is kept, and tried again", async () => {
    const { queue, spool, clock, passOn } = runner([active], () => REFUSED);
    spool.troubles.settle.push(...Array.from({ length: 9 }, () => new Error("disk full")));
    const told = passOn("a@example.com");
    await quiet();
    const stop = queue.stop(30_000);
    clock.advance(1000);
    await stop;
    assert.equal(await told, undefined);
    assert.equal(spool.held.get("a")?.state, "active");
  });

  test("hears of no refusal when the attempt comes to nothing, and need not wait for that to be written down", async () => {
    const { spool, clock, passOn, log } = runner([active], () => REFUSED);
    const event = log.event.bind(log);
    Object.assign(log, {
      event: (...told: Parameters<typeof event>) => {
        if (told[0] === "delivery.failed") throw new Error("a bug");
        event(...told);
      },
    });
    spool.troubles.settle.push(new Error("disk full"));
    assert.equal(await passOn("a@example.com"), undefined);
    await quiet();
    clock.advance(1000);
    await quiet();
    assert.equal(spool.held.get("a")?.state, "queued");
  });
});

describe("stopping", () => {
  test("waits for attempts under way, and begins nothing new", async () => {
    const host = later();
    const { queue, spool, batches } = runner([message("a")], host.answer);
    queue.wake();
    await quiet();
    let stopped = false;
    const stop = queue.stop(30_000).then(() => (stopped = true));
    spool.held.set("b", message("b"));
    queue.wake();
    await quiet();
    assert.deepEqual([stopped, batches.length, queue.hasRoom], [false, 1, false]);
    host.all(DONE);
    await stop;
    await quiet();
    assert.deepEqual([batches.length, spool.held.has("a")], [1, false]);
  });

  test("cuts what is not done after the grace, and settles it as deferred", async () => {
    const { queue, clock, spool } = runner(
      [message("a")],
      (_, signal) =>
        new Promise((resolve) => signal.addEventListener("abort", () => resolve(LATER))),
    );
    queue.wake();
    await quiet();
    const stop = queue.stop(30_000);
    await quiet();
    clock.advance(30_000);
    await stop;
    assert.equal(spool.held.get("a")?.state, "queued");
  });

  test("waits for what is just being taken from the spool: that counts as begun", async () => {
    const tomorrow = recipient(0, "b@example.com", START + 24 * HOUR);
    const messages = [message("a"), message("b", { recipients: [tomorrow] })];
    const { queue, clock, spool, batches } = runner(messages, () => DONE);
    queue.wake();
    await queue.stop(30_000);
    assert.deepEqual([batches, [...spool.held.keys()]], [["a@example.com"], ["b"]]);
    assert.equal(clock.pending, 0);
  });

  test("without anything under way is done at once, and leaves no timer", async () => {
    const waiting = message("a", { recipients: [recipient(0, "a@example.com", START + HOUR)] });
    const { queue, clock, batches } = runner([waiting], () => DONE);
    queue.wake();
    await quiet();
    await queue.stop(30_000);
    assert.equal(clock.pending, 0);
    clock.advance(2 * HOUR);
    await quiet();
    assert.deepEqual(batches, []);
  });

  test("gives up a spool that takes nothing any more: the next start knows the attempt was open", async () => {
    const { queue, clock, spool } = runner([message("a")], () => DONE);
    spool.troubles.settle.push(...Array.from({ length: 9 }, () => new Error("gone")));
    queue.wake();
    await quiet();
    const stop = queue.stop(30_000);
    await quiet();
    clock.advance(1000);
    await stop;
    assert.equal(spool.held.get("a")?.state, "active");
  });
});
