// Mail that was accepted, and that no router takes any more: it waits for an hour before that is believed.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RouteTrouble, Routing } from "../../src/route/route.ts";
import { status } from "../../src/mail/status.ts";
import { mailbox } from "../support/build.ts";
import { delivery, DONE, HOUR, message, MINUTE, quiet, runner, START } from "./runner.ts";

const NO = status(550, "1.1", "No such user here");
const DAY = 24 * HOUR;

function gone(address: string, given: Partial<RouteTrouble> = {}): Partial<Routing> {
  const trouble = { kind: "failed", router: "", unseen: false, status: NO } as const;
  return {
    deliveries: [],
    troubles: [{ ...trouble, mailbox: mailbox(address), unrouted: true, ...given }],
  };
}

/** One message that nobody takes, under retry rules that would end at once. */
function unrouted(routing: (address: string) => Partial<Routing> = gone) {
  const chain = (address: string) =>
    address.endsWith("@example.com")
      ? routing(address)
      : { deliveries: [delivery(address, "smtp")] };
  const run = runner([message("a")], () => DONE, chain);
  /** Attempts in all, after so many minutes more. */
  const after = async (minutes: number) => {
    for (let minute = 0; minute < minutes; minute++) {
      run.clock.advance(MINUTE);
      await quiet();
    }
    return run.spool.settled.length;
  };
  return { ...run, after };
}

describe("mail that no router takes any more", () => {
  test("waits for an hour, and fails then, once", async () => {
    const { queue, log, after, spool } = unrouted();
    queue.wake();
    await quiet();
    assert.deepEqual(log.named("recipient.unrouted"), [
      { id: "a", recipient: "a@example.com", until: new Date(START + HOUR).toISOString() },
    ]);
    const [deferred] = spool.held.get("a")?.recipients ?? [];
    assert.equal(deferred?.lastStatus?.enhanced, "4.1.1");
    await after(59);
    assert.deepEqual([log.named("message.bounced"), spool.held.size], [[], 1]);
    await after(2);
    assert.equal(log.named("message.bounced").length, 1);
    assert.equal(log.named("recipient.unrouted").length, 1);
    assert.equal(spool.held.has("a"), false);
  });

  test("waits for the hour that really passes, wherever the wall clock is set to", async () => {
    const { queue, clock, log, after, spool } = unrouted();
    queue.wake();
    await quiet();
    clock.step(9 * DAY);
    queue.wake();
    await quiet();
    await after(30);
    assert.deepEqual(log.named("message.bounced"), []);
    assert.equal(spool.held.get("a")?.state, "queued");
    await after(35);
    assert.equal(log.named("message.bounced").length, 1);
  });

  test("is delivered when the router is back in time", async () => {
    let isBack = false;
    const { queue, log, after, spool, batches } = unrouted((address) =>
      isBack ? { deliveries: [delivery(address, "smtp")] } : gone(address),
    );
    queue.wake();
    await quiet();
    await after(30);
    isBack = true;
    await after(31);
    assert.deepEqual([batches, spool.held.size], [["a@example.com"], 0]);
    assert.deepEqual(log.named("message.bounced"), []);
  });

  test("has an hour anew when a router has taken it in between", async () => {
    let isGone = true;
    const { queue, log, after, spool } = runnerOf((address) =>
      isGone ? gone(address) : { deliveries: [delivery(address, "smtp")] },
    );
    queue.wake();
    await quiet();
    await after(30);
    isGone = false;
    await after(31);
    isGone = true;
    await after(90);
    assert.equal(log.named("recipient.unrouted").length, 2);
    assert.deepEqual(log.named("message.bounced"), []);
    await after(61);
    assert.equal(spool.held.has("a"), false);
    assert.equal(log.named("message.bounced").length, 1);
  });

  test("of one member of an alias does not hold up the others", async () => {
    const { queue, log, after, batches } = unrouted(() => ({
      ...gone("member@example.com"),
      deliveries: [delivery("bob@example.com", "smtp")],
    }));
    queue.wake();
    await quiet();
    assert.deepEqual(batches, ["bob@example.com"]);
    assert.deepEqual(log.named("recipient.unrouted"), [
      {
        id: "a",
        recipient: "member@example.com",
        original: "a@example.com",
        until: new Date(START + HOUR).toISOString(),
      },
    ]);
    await after(61);
    assert.deepEqual(batches, ["bob@example.com"]);
    assert.equal(log.named("message.listed").length, 1);
  });
});

/** The next host puts off whatever it gets. */
function runnerOf(routing: (address: string) => Partial<Routing>) {
  const later = {
    kind: "deferred",
    status: status(451, "3.0", "later"),
    scope: "recipient",
  } as const;
  const run = runner(
    [message("a")],
    ({ envelope }) => (envelope.sender === null ? DONE : later),
    routing,
  );
  const after = async (minutes: number) => {
    for (let minute = 0; minute < minutes; minute++) {
      run.clock.advance(MINUTE);
      await quiet();
    }
  };
  return { ...run, after };
}

test("what a router fails with a reason bounces at once", async () => {
  for (const reason of [
    { router: "aliases", status: status(550, "1.1", "has left") },
    { router: "", status: status(550, "4.4", "no address that mail can be sent to") },
  ]) {
    const { queue, log } = unrouted((address) => {
      const trouble = { kind: "failed", unseen: false, mailbox: mailbox(address) } as const;
      return { deliveries: [], troubles: [{ ...trouble, ...reason }] };
    });
    queue.wake();
    await quiet();
    assert.equal(log.named("message.bounced").length, 1, reason.status.text);
    assert.deepEqual(log.named("recipient.unrouted"), []);
  }
});
