// A chain, a transport or a spool that fails: mail waits, and none is lost or sent twice.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { status } from "../../src/mail/status.ts";
import { mailbox } from "../support/build.ts";
import { DONE, message, MINUTE, quiet, recipient, runner } from "./runner.ts";

describe("trouble", () => {
  test("a spool that cannot settle is asked again every second until it can", async () => {
    const { queue, clock, spool, log, batches } = runner([message("a")], () => DONE);
    spool.troubles.settle.push(new Error("disk I/O error"), new Error("disk I/O error"));
    queue.wake();
    await quiet();
    clock.advance(1000);
    await quiet();
    assert.equal(queue.activeCount, 1);
    clock.advance(1000);
    await quiet();
    assert.equal(queue.activeCount, 0);
    assert.equal(log.named("spool.failed").length, 2);
    assert.deepEqual([batches.length, spool.held.size], [1, 0]);
  });

  test("a spool that gives nothing out is asked again after a second", async () => {
    const { queue, clock, spool, batches } = runner([message("a")], () => DONE);
    spool.troubles.take.push(new Error("busy"));
    queue.wake();
    await quiet();
    assert.deepEqual(batches, []);
    clock.advance(1000);
    await quiet();
    assert.deepEqual(batches, ["a@example.com"]);
  });

  test("an error before the first look at the message settles it too, and its client waits no longer", async () => {
    const one = message("a", { state: "active" });
    const { queue, clock, spool, batches } = runner([one], () => DONE);
    const told: string[] = [];
    queue.attempt(one, {
      transportsFor: () => {
        throw new Error("a driver's bug");
      },
      client: {
        hears: () => false,
        stored: () => void told.push("stored"),
        ended: () => void told.push("ended"),
      },
    });
    await quiet();
    assert.equal(queue.activeCount, 0);
    assert.deepEqual(new Set(told), new Set(["ended"]));
    assert.equal(spool.held.get("a")?.state, "queued");
    clock.advance(5 * MINUTE);
    await quiet();
    assert.deepEqual([batches, spool.held.size], [["a@example.com"], 0]);
  });

  test("an error of our own puts the message off by five minutes, and what was delivered stays so", async (context) => {
    const recipients = [recipient(0, "good@example.com"), recipient(1, "bad@example.org")];
    const { queue, clock, spool, log, batches, settleServices } = runner(
      [message("a", { recipients })],
      () => DONE,
      (address) => {
        if (address !== "bad@example.org") return {};
        const no = {
          kind: "failed",
          mailbox: mailbox(address),
          router: "",
          unseen: false,
        } as const;
        return { deliveries: [], troubles: [{ ...no, status: status(550, "1.1", "no") }] };
      },
    );
    const { mock: fault } = context.mock.method(settleServices.outbox, "write", () =>
      Promise.reject(new Error("a bug")),
    );
    queue.wake();
    await quiet();
    assert.deepEqual(log.named("relay.error"), [
      { id: "a", where: "attempt", error: "Error: a bug" },
    ]);
    assert.equal(spool.held.get("a")?.state, "queued");
    assert.deepEqual(
      spool.held.get("a")?.journal.map(({ address }) => address),
      ["good@example.com"],
    );
    fault.restore();
    clock.advance(5 * MINUTE);
    await quiet();
    assert.deepEqual(batches, ["good@example.com", "alice@example.org"]);
    assert.equal(log.named("message.bounced").length, 1);
    assert.equal(spool.held.size, 0);
  });
});
