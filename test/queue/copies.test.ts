// A copy and its mail: neither waits for the other, and what is done of either is done once.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Outcome } from "../../src/contract/contract.ts";
import type { Routing } from "../../src/route/route.ts";
import { status } from "../../src/mail/status.ts";
import { mailbox } from "../support/build.ts";
import {
  both,
  delivery,
  DONE,
  HOUR,
  LATER,
  message,
  MINUTE,
  quiet,
  runner,
  START,
} from "./runner.ts";

describe("what is done", () => {
  test("is not done again at the next attempt", async () => {
    const { queue, clock, batches } = runner(
      [message("a")],
      ({ recipients }) =>
        recipients.length > 0 && batches.at(-1)?.startsWith("copy") === true ? DONE : LATER,
      both,
    );
    queue.wake();
    await quiet();
    clock.advance(HOUR);
    await quiet();
    assert.deepEqual(batches, ["copy a@example.com", "a@example.com", "a@example.com"]);
  });

  test("does not bounce when the chain has changed its mind and only a copy is left", async () => {
    let gone = false;
    const { queue, clock, batches, spool, log } = runner(
      [message("a")],
      () => (batches.at(-1)?.startsWith("copy") === true ? LATER : DONE),
      (address) => {
        if (!gone) return both(address);
        const no = {
          kind: "failed",
          mailbox: mailbox(address),
          router: "",
          unseen: false,
        } as const;
        return {
          deliveries: [delivery(address, "file")],
          troubles: [{ ...no, status: status(550, "1.1", "no") }],
        };
      },
    );
    queue.wake();
    await quiet();
    gone = true;
    clock.advance(HOUR);
    await quiet();
    assert.deepEqual(batches, ["copy a@example.com", "a@example.com", "copy a@example.com"]);
    assert.deepEqual(log.named("message.bounced"), []);
    assert.equal(spool.held.get("a")?.state, "queued");
  });

  test("is not delivered by another router either", async () => {
    let moved = false;
    const { queue, clock, batches } = runner(
      [message("a")],
      () => (batches.at(-1)?.startsWith("copy") === true ? LATER : DONE),
      (address) =>
        moved
          ? {
              deliveries: [
                delivery(address, "file"),
                { ...delivery(address, "smtp"), router: "new" },
              ],
            }
          : both(address),
    );
    queue.wake();
    await quiet();
    moved = true;
    clock.advance(HOUR);
    await quiet();
    assert.deepEqual(batches, ["copy a@example.com", "a@example.com", "copy a@example.com"]);
  });

  test("a copy that no router asks for any more is given up, and that is logged", async () => {
    let gone = false;
    const { queue, clock, log, spool, batches } = runner(
      [message("a")],
      () => (batches.at(-1)?.startsWith("copy") === true ? LATER : DONE),
      (address) => (gone ? { deliveries: [delivery(address, "smtp")] } : both(address)),
    );
    queue.wake();
    await quiet();
    assert.deepEqual(log.named("recipient.discarded"), []);
    gone = true;
    clock.advance(HOUR);
    await quiet();
    const why = "a copy was still to be made, and no router asks for it any more";
    assert.deepEqual(log.named("recipient.discarded"), [
      { id: "a", recipient: "a@example.com", why },
    ]);
    assert.equal(spool.held.size, 0);
  });

  test("a discarded recipient is logged, and its message is completed", async () => {
    const { queue, log, spool } = runner(
      [message("a")],
      () => DONE,
      (address) => ({
        deliveries: [],
        discarded: [{ mailbox: mailbox(address), router: "aliases", why: ":blackhole:" }],
      }),
    );
    queue.wake();
    await quiet();
    assert.deepEqual(log.named("recipient.discarded"), [
      { id: "a", recipient: "a@example.com", why: "aliases: :blackhole:" },
    ]);
    assert.equal(spool.held.size, 0);
  });
});

const isCopy = (batch: string | undefined) => batch?.startsWith("copy") === true;

/** The disk of the copies is full, until the test says otherwise; the mail ends by `mail`, one outcome each attempt. */
function copyAndMail(
  mail: readonly Outcome[],
  chain: (address: string) => Partial<Routing> = both,
) {
  const outcomes = [...mail];
  const trouble = { scope: "message", error: "quota" } as const;
  const disk: { outcome: Outcome } = {
    outcome: { kind: "deferred", status: status(452, "3.1", "full"), ...trouble },
  };
  const run = runner(
    [message("a")],
    () => (isCopy(run.batches.at(-1)) ? disk.outcome : (outcomes.shift() ?? LATER)),
    chain,
  );
  /** What is attempted now, and in each hour from now on. */
  const hours = async (count: number) => {
    const attempted: string[] = [];
    for (let hour = 0; hour < count; hour++) {
      const before = run.batches.length;
      if (run.spool.settled.length > 0) run.clock.advance(HOUR);
      run.queue.wake();
      await quiet();
      const words = run.batches.slice(before).map((one) => (isCopy(one) ? "copy" : "mail"));
      attempted.push(words.join("+"));
    }
    return attempted;
  };
  const kept = () => run.spool.held.get("a")?.recipients[0];
  return { ...run, disk, hours, kept };
}

describe("a copy and its mail", () => {
  test("are each tried when their own time has come", async () => {
    const { hours, kept } = copyAndMail([]);
    assert.deepEqual(await hours(5), ["copy+mail", "mail", "mail", "copy+mail", "mail"]);
    assert.deepEqual([kept()?.attempts, kept()?.clocks?.copies[0]?.attempts], [5, 2]);
    assert.equal(kept()?.clocks?.copies[0]?.firstFailure, START);
  });

  test("go on without each other", async () => {
    const { hours, disk, spool } = copyAndMail([LATER, DONE]);
    assert.deepEqual(await hours(4), ["copy+mail", "mail", "", "copy"]);
    disk.outcome = DONE;
    assert.deepEqual(await hours(3), ["", "", "copy"]);
    assert.equal(spool.held.size, 0);
  });

  test("the mail fails when its own rules have ended, once, and the copy is made later", async () => {
    const { hours, disk, log, spool } = copyAndMail([]);
    await hours(9);
    assert.equal(log.named("message.bounced").length, 1);
    assert.equal(spool.held.get("a")?.state, "queued");
    disk.outcome = DONE;
    await hours(1);
    assert.deepEqual(log.named("delivery.frozen"), []);
    assert.equal(spool.held.has("a"), false);
    assert.equal(log.named("message.bounced").length, 1);
  });

  test("a copy whose rules have ended is frozen, and the mail still has its own", async () => {
    const { hours, log, kept, holds } = copyAndMail([DONE]);
    await holds.hold("example.com");
    await hours(26);
    assert.equal(log.named("delivery.frozen").length, 1);
    assert.equal(kept()?.state, "pending");
    await holds.release("example.com");
    assert.deepEqual(await hours(1), ["mail"]);
    assert.equal(kept()?.state, "frozen");
  });

  test("what the chain says of the mail when only its copy is due changes nothing", async () => {
    const no = { kind: "failed", router: "", unseen: false } as const;
    let gone = false;
    const { hours, log, spool } = copyAndMail([LATER, LATER, LATER, DONE], (address) => ({
      deliveries: [delivery(address, "file"), ...(gone ? [] : [delivery(address, "smtp")])],
      troubles: gone
        ? [{ ...no, mailbox: mailbox(address), status: status(550, "1.1", "no") }]
        : [],
      discarded: gone ? [{ mailbox: mailbox(address), router: "aliases", why: "x" }] : [],
    }));
    await hours(3);
    const waiting = spool.held.get("a");
    assert.ok(waiting);
    const [one] = waiting.recipients;
    assert.ok(one?.clocks);
    const clocks = { ...one.clocks, mail: { nextAttempt: START + 5 * HOUR } };
    spool.held.set("a", {
      ...waiting,
      recipients: [{ ...one, nextAttempt: START + 3 * HOUR, clocks }],
    });
    gone = true;
    assert.deepEqual(await hours(2), ["copy", ""]);
    assert.deepEqual(log.named("message.bounced"), []);
    assert.deepEqual(log.named("recipient.discarded"), []);
    gone = false;
    assert.deepEqual(await hours(1), ["mail"]);
    assert.deepEqual(
      spool.held.get("a")?.journal.map(({ address }) => address),
      ["a@example.com"],
    );
    assert.equal(spool.held.get("a")?.recipients[0]?.mailDone, true);
  });

  test("a copy by another router is made at once, and the clock of the old one ends", async () => {
    let router = "old";
    const { hours, disk, spool, kept } = copyAndMail([LATER, DONE], (address) => ({
      deliveries: [{ ...delivery(address, "file"), router }, delivery(address, "smtp")],
    }));
    await hours(1);
    router = "new";
    disk.outcome = DONE;
    assert.deepEqual(await hours(1), ["copy+mail"]);
    assert.deepEqual(
      kept()?.clocks?.copies.map((copy) => copy.router),
      ["old"],
    );
    assert.deepEqual(await hours(2), ["", ""]);
    assert.equal(spool.held.size, 0);
  });

  test("a copy that its router now leads elsewhere keeps its clock", async () => {
    let lost = false;
    const trouble = { kind: "deferred", router: "file", unseen: true } as const;
    const { hours, disk, kept } = copyAndMail([LATER, LATER, DONE], (address) => ({
      deliveries: lost ? [delivery(address, "smtp")] : (both(address).deliveries ?? []),
      troubles: lost
        ? [{ ...trouble, mailbox: mailbox(address), status: status(451, "3.0", "x") }]
        : [],
    }));
    lost = true;
    await hours(1);
    assert.equal(kept()?.clocks?.copies.length, 1);
    lost = false;
    disk.outcome = DONE;
    assert.deepEqual(await hours(1), ["copy+mail"]);
    assert.equal(kept()?.clocks, undefined);
  });

  test("the release of a domain makes its mail due, and not a copy before its time", async () => {
    const { hours, holds } = copyAndMail([DONE]);
    await holds.hold("example.com");
    assert.deepEqual(await hours(2), ["copy", ""]);
    await holds.release("example.com");
    assert.deepEqual(await hours(2), ["mail", "copy"]);
  });

  test("are not fresh once they have waited, for a hold too", async () => {
    const fresh: boolean[] = [];
    const { queue, holds, clock } = runner(
      [message("a")],
      (batch) => {
        fresh.push(batch.fresh);
        return DONE;
      },
      both,
    );
    await holds.hold("example.com");
    queue.wake();
    await quiet();
    clock.advance(MINUTE);
    await holds.release("example.com");
    queue.wake();
    await quiet();
    assert.deepEqual(fresh, [true, false]);
  });

  test("are both tried when the postmaster says so", async () => {
    const { hours, spool, kept } = copyAndMail([]);
    await hours(2);
    const waiting = spool.held.get("a");
    const one = kept();
    assert.ok(waiting && one);
    spool.held.set("a", { ...waiting, recipients: [{ ...one, nextAttempt: START, forced: true }] });
    assert.deepEqual(await hours(1), ["copy+mail"]);
  });
});
