// The plan of an attempt, as a table: who is attempted, in what manner, and what is made of what the chain says.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { asWaited, discardedOf, findingOf, plannedDelivery, planOf } from "../../src/queue/plan.ts";
import type { StoredMessage, StoredRecipient, WaitingCopy } from "../../src/spool/spool.ts";
import { status } from "../../src/mail/status.ts";
import { believed } from "../support/clock.ts";
import { envelope, mailbox, waitingCopy } from "../support/build.ts";
import { delivery, HOUR, message, recipient, START } from "./runner.ts";

const rules = [{ kind: "F", cutoff: 8 * HOUR, interval: HOUR, factor: 1 }] as const;
const POLICY = { retry: [{ match: "*", rules }], elapsed: believed };
const LATER = status(451, "3.0", "later");

function copy(nextAttempt: number, given: Partial<WaitingCopy> = {}): WaitingCopy {
  const named = { address: "a@example.com", router: "file", place: "a" };
  return waitingCopy({ ...named, nextAttempt, ...given });
}

function plan(recipients: readonly StoredRecipient[], given: Partial<StoredMessage> = {}) {
  return planOf(message("a", { recipients, ...given }), START, POLICY);
}

describe("the manner of an attempt", () => {
  const fresh = recipient(0, "a@example.com");
  const failed = { ...fresh, attempts: 1, firstFailure: START - HOUR, lastStatus: LATER };
  const cases: readonly (readonly [string, StoredRecipient, Partial<StoredMessage>, string])[] = [
    ["the first", fresh, {}, "fresh"],
    ["a further one", failed, {}, ""],
    ["the first after a hold", { ...fresh, lastStatus: LATER }, {}, ""],
    ["the first after a release", fresh, { envelope: envelope({ receivedAt: START - 1 }) }, ""],
    ["one by the postmaster's order", { ...failed, forced: true }, {}, "force"],
    ["the last that its rules allow", { ...failed, firstFailure: START - 8 * HOUR }, {}, "force"],
    ["one after a crash", fresh, { interrupted: true }, "fresh interrupted"],
    [
      "one after no answer",
      { ...failed, lastStatus: { ...LATER, unsure: true } },
      {},
      "interrupted",
    ],
    [
      "one after a copy without an answer",
      {
        ...failed,
        clocks: { copies: [copy(START, { lastStatus: { ...LATER, unsure: true } })] },
      },
      {},
      "interrupted",
    ],
  ];
  for (const [what, one, given, expected] of cases) {
    test(`of ${what}: ${expected || "ordinary"}`, () => {
      const { manner } = plan([one], given);
      const said = Object.entries(manner).flatMap(([name, is]) => (is ? [name] : []));
      assert.equal(said.join(" "), expected);
    });
  }
});

test("those whose time has not come are left alone, and their copies rest", () => {
  const due = recipient(0, "a@example.com");
  const later = recipient(1, "b@example.com", START + HOUR);
  const waiting = { ...later, position: 2, clocks: { copies: [copy(START + HOUR)] } };
  const { attempted, resting, waited } = plan([due, later, waiting]);
  assert.deepEqual(
    attempted.map(({ position }) => position),
    [0],
  );
  assert.deepEqual([resting.length, waited.length], [1, 0]);
});

describe("a copy", () => {
  const owner = {
    ...recipient(0, "a@example.com"),
    clocks: { copies: [copy(START, { others: [3] })] },
  };
  const other = recipient(1, "alias@example.com");
  const routed = delivery("a@example.com", "file");

  test("that has waited stays the one of the recipient that waited, and names all that lead to it", () => {
    const { delivery: planned, others } = asWaited(
      plannedDelivery(other, routed, "a"),
      plan([owner, other]),
    );
    assert.equal(planned.position, 0);
    assert.equal(planned.original.address, "a@example.com");
    assert.deepEqual(others, [3, 1]);
  });

  test("to another place is that of the recipient that leads to it", () => {
    const named = { ...routed, router: "other" };
    const { delivery: planned, others } = asWaited(
      plannedDelivery(other, named, "b"),
      plan([owner, other]),
    );
    assert.deepEqual([planned.position, others], [1, []]);
  });

  test("asks for no report; mail asks for what its recipient did", () => {
    const asking = { ...other, notify: "FAILURE" };
    assert.equal(plannedDelivery(asking, routed, undefined).notify, "NEVER");
    const mail = delivery("a@example.com", "smtp");
    assert.equal(plannedDelivery(asking, mail, undefined).notify, "FAILURE");
  });
});

describe("what the chain has decided itself", () => {
  const to = recipient(2, "bob@example.com");
  const trouble = { mailbox: mailbox("x@example.com"), unseen: false, status: LATER } as const;

  test("fails for good", () => {
    const said = findingOf(to, { ...trouble, kind: "failed", router: "world" });
    assert.deepEqual(said.outcome, { kind: "failed", status: LATER });
    assert.deepEqual([said.position, said.original.address], [2, "bob@example.com"]);
  });

  test("defers as a lookup where a router has, and not where the guard against loops has", () => {
    const deferred = { ...trouble, kind: "deferred" } as const;
    const by = (router: string) => findingOf(to, { ...deferred, router }).outcome;
    const outcome = { kind: "deferred", status: LATER, scope: "recipient" };
    assert.deepEqual(by("world"), { ...outcome, error: "lookup" });
    assert.deepEqual(by(""), outcome);
  });

  test("is said in the log where nothing is delivered", () => {
    const [bob] = [mailbox("bob@example.com")];
    const discarded = [{ mailbox: bob, router: "drop", why: "as it wants" }];
    const said = discardedOf(to, { discarded, copyDropped: true });
    assert.deepEqual(
      said.map(({ why }) => why),
      ["drop: as it wants", "a copy was still to be made, and no router asks for it any more"],
    );
    assert.deepEqual(discardedOf(to, { discarded: [], copyDropped: false }), []);
  });
});
