import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Rate } from "../../src/base/keyed-rate.ts";
import { RelayRates } from "../../src/receive/relay-rates.ts";
import { manualClock } from "../support/clock.ts";
import { mailbox } from "../support/build.ts";

const HOUR = 3_600_000;
const anHour = (count: number): Rate => ({ count, window: HOUR });

/** How many of these, one after the other, the second of two rules lets through. */
function passed(rates: RelayRates, ...senders: readonly (string | null)[]): number {
  const replies = senders.map((sender) =>
    rates.take("gate.relay[1]", sender === null ? null : mailbox(sender)),
  );
  return replies.filter((reply) => reply === undefined).length;
}

function twoRules(rate: Rate | undefined, sender_rate: Rate | undefined) {
  const clock = manualClock();
  return {
    clock,
    rates: new RelayRates(
      [
        { rate: anHour(1), sender_rate: anHour(1) },
        { rate, sender_rate },
      ],
      clock,
    ),
  };
}

describe("the rate of a rule", () => {
  test("is for all its senders together, and comes back with time", () => {
    const { clock, rates: both } = twoRules(anHour(3), undefined);
    assert.equal(passed(both, "a@example.com", "b@example.com", null, "c@example.com"), 3);
    clock.advance(HOUR / 3);
    assert.equal(passed(both, "d@example.com", "d@example.com"), 1);
  });

  test("concerns no other rule, and nothing that is let through without one", () => {
    const { rates: both } = twoRules(anHour(1), undefined);
    assert.equal(passed(both, "a@example.com", "a@example.com"), 1);
    assert.equal(both.take("gate.relay[0]", null), undefined);
    for (let n = 0; n < 5; n++) assert.equal(both.take("local_domains", null), undefined);
  });
});

describe("the rate of a sender", () => {
  test("is its own, whatever the case of its name and the suffix behind it", () => {
    const { rates: both } = twoRules(undefined, anHour(2));
    assert.equal(
      passed(both, "alice@example.com", "Alice+one@example.com", "alice+two@example.com"),
      2,
    );
    assert.equal(passed(both, "bob@example.com", "alice@example.org"), 2);
  });

  test("is that of all null senders together", () => {
    const { rates: both } = twoRules(undefined, anHour(2));
    assert.equal(passed(both, null, null, null), 2);
  });

  test("that is spent takes nothing from the rate of the rule", () => {
    const { rates: both } = twoRules(anHour(3), anHour(1));
    assert.equal(passed(both, ...Array.from({ length: 9 }, () => "alice@example.com")), 1);
    assert.equal(passed(both, "b@example.com", "c@example.com", "d@example.com"), 2);
  });

  test("says which of the two it is", () => {
    const { rates: both } = twoRules(anHour(3), anHour(1));
    const alice = mailbox("alice@example.com");
    assert.equal(both.take("gate.relay[1]", alice), undefined);
    assert.match(both.take("gate.relay[1]", alice)?.text ?? "", /from this sender/);
  });
});

test("what may still turn out to be forged is asked for and not counted", () => {
  const { rates: own } = twoRules(anHour(4), anHour(3));
  const alice = mailbox("alice@example.com");
  for (let tries = 0; tries < 10; tries++) {
    assert.equal(own.wouldPutOff("gate.relay[1]", alice, 3), undefined);
  }
  assert.equal(own.wouldPutOff("gate.relay[1]", alice, 4)?.text.includes("sender"), true);
  assert.equal(own.take("gate.relay[1]", alice, 3), undefined);
  assert.equal(own.wouldPutOff("gate.relay[1]", alice, 1)?.code, 450);
  assert.equal(own.take("gate.relay[1]", mailbox("bob@example.com"), 2)?.code, 450);
  assert.equal(own.take("gate.relay[1]", mailbox("bob@example.com"), 1), undefined);
  assert.equal(own.wouldPutOff("gate.relay[7]", alice, 99), undefined, "a rule without rates");
});
