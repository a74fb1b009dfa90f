// Mail for a domain that the postmaster holds.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { status } from "../../src/mail/status.ts";
import { mailbox } from "../support/build.ts";
import { both, DONE, HOUR, message, quiet, recipient, runner } from "./runner.ts";

describe("mail for a domain on hold", () => {
  test("is copied, and delivered when it is released", async () => {
    const { queue, batches, holds, log, spool, clock } = runner([message("a")], () => DONE, both);
    await holds.hold("example.com");
    queue.wake();
    await quiet();
    assert.deepEqual(batches, ["copy a@example.com"]);
    assert.deepEqual(log.named("delivery.deferred"), []);
    assert.equal(
      spool.held.get("a")?.recipients[0]?.lastStatus?.text,
      "mail for example.com is on hold",
    );
    clock.advance(30 * 24 * HOUR);
    await quiet();
    assert.deepEqual([batches.length, spool.held.get("a")?.state], [1, "queued"]);
    await holds.release("example.com");
    queue.wake();
    await quiet();
    assert.deepEqual(batches, ["copy a@example.com", "a@example.com"]);
    assert.equal(spool.held.size, 0);
  });

  test("does not fail by what the chain says meanwhile", async () => {
    const no = {
      kind: "failed",
      router: "",
      unseen: false,
      status: status(550, "1.1", "no"),
    } as const;
    const { queue, holds, log, spool } = runner(
      [message("a")],
      () => DONE,
      (address) => ({ deliveries: [], troubles: [{ ...no, mailbox: mailbox(address) }] }),
    );
    await holds.hold("example.com");
    queue.wake();
    await quiet();
    assert.deepEqual([log.named("message.bounced"), spool.held.size], [[], 1]);
  });

  test("does not hold up that for another", async () => {
    const recipients = [recipient(0, "a@example.com"), recipient(1, "a@example.org")];
    const { queue, batches, holds } = runner([message("a", { recipients })], () => DONE);
    await holds.hold("example.com");
    queue.wake();
    await quiet();
    assert.deepEqual(batches, ["a@example.org"]);
  });

  test("released while an attempt is under way does not wait for ever", async () => {
    let open: (() => void) | undefined;
    const slow = new Promise<void>((resolve) => (open = resolve));
    const { queue, batches, holds } = runner(
      [message("a")],
      async () => {
        await slow;
        return DONE;
      },
      both,
    );
    await holds.hold("example.com");
    queue.wake();
    await quiet();
    await holds.release("example.com");
    open?.();
    await quiet();
    assert.deepEqual(batches, ["copy a@example.com", "a@example.com"]);
  });
});
