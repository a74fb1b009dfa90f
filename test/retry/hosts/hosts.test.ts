// The clocks of hosts, by the hour.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HostHints, type HintStore } from "../../../src/retry/hosts/hosts.ts";
import { BUILT_IN_REPLY_RULES, type RetryPolicy } from "../../../src/retry/reply-rules.ts";
import { parseRetryRules } from "../../../src/retry/retry.ts";
import { status } from "../../../src/mail/status.ts";
import { manualClock } from "../../support/clock.ts";
import type { HostHint } from "../../../src/mail/host.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const KEY = "mx.example.net [192.0.2.1]";
const REFUSED = status(451, "4.1", "cannot connect: connection refused");
const failure = { host: "mx.example.net", domain: "example.net", status: REFUSED };

interface Stored extends HintStore {
  readonly saved: Map<string, HostHint>;
  readonly woken: string[];
}

function store(): Stored {
  const saved = new Map<string, HostHint>();
  const woken: string[] = [];
  return {
    saved,
    woken,
    saveHint(key, hint) {
      if (hint === undefined) saved.delete(key);
      else saved.set(key, hint);
    },
    wake(key) {
      woken.push(key);
      return Promise.resolve(0);
    },
  };
}

function rules(text: string) {
  const parsed = parseRetryRules(text);
  assert.ok("rules" in parsed);
  return parsed.rules;
}

function known(policy: Partial<RetryPolicy> = {}, clock = manualClock()) {
  const hints = new HostHints({ retry: [], replies: [], random: () => 0, ...policy }, clock);
  const kept = store();
  hints.attach(kept, new Map());
  return { hints, clock, kept };
}

test("a host that failed is blocked until its retry time, with the reason, and in doubt after it", () => {
  const { hints, clock } = known();
  const start = clock.now();
  assert.equal(hints.blocked(KEY), undefined);
  assert.equal(hints.failed(KEY, failure), start + 15 * MINUTE);
  assert.deepEqual(hints.blocked(KEY)?.status, REFUSED);
  clock.advance(15 * MINUTE - 2);
  assert.ok(hints.blocked(KEY));
  clock.advance(2);
  assert.equal(hints.blocked(KEY), undefined);
  assert.ok(hints.isInDoubt(KEY));
});

test("other hosts are not concerned", () => {
  const { hints } = known();
  hints.failed(KEY, failure);
  assert.equal(hints.blocked("mx.example.net [192.0.2.2]"), undefined);
});

test("the clock runs from the first failure: the intervals are those of the rules in force at that age", () => {
  const { hints, clock } = known();
  const start = clock.now();
  const times: number[] = [];
  for (let count = 0; count < 10; count++) {
    const next = hints.failed(KEY, failure);
    times.push((next - start) / MINUTE);
    clock.advance(next - clock.now());
  }
  assert.deepEqual(times, [15, 30, 45, 60, 75, 90, 105, 120, 180, 270]);
});

test("those who were under way when the first of them failed do not count as further failures", () => {
  const { hints, clock, kept } = known();
  const next = hints.failed(KEY, failure);
  const hint = kept.saved.get(KEY);
  clock.advance(MINUTE);
  assert.equal(hints.failed(KEY, failure), next);
  assert.equal(kept.saved.get(KEY), hint);
});

test("a success forgets the hint, and the next failure is a first one", () => {
  const { hints, clock, kept } = known();
  hints.failed(KEY, failure);
  clock.advance(3 * HOUR);
  hints.failed(KEY, failure);
  hints.succeeded(KEY);
  assert.equal(hints.blocked(KEY), undefined);
  assert.ok(!hints.isInDoubt(KEY) && hints.isEmpty);
  assert.equal(kept.saved.size, 0);
  assert.equal(hints.failed(KEY, failure), clock.now() + 15 * MINUTE);
});

test("when the rules have ended the host is still tried, every six hours", () => {
  const { hints, clock } = known({ retry: [{ match: "*", rules: rules("F,1h,30m") }] });
  for (let count = 0; count < 3; count++) {
    clock.advance(hints.failed(KEY, failure) - clock.now());
  }
  assert.equal(hints.failed(KEY, failure), clock.now() + 6 * HOUR);
});

test("the rules are those for the host and for what went wrong", () => {
  const retry = [
    { match: "*", errors: ["refused"], rules: rules("F,1d,7m") },
    { match: "mx.example.net", rules: rules("F,1d,9m") },
  ];
  const { hints, clock } = known({ retry });
  const start = clock.now();
  assert.equal(hints.failed("a", { ...failure, error: "refused" }), start + 7 * MINUTE);
  assert.equal(hints.failed("b", { ...failure, error: "timeout" }), start + 9 * MINUTE);
});

test("the row for the host's very reply comes before the rules", () => {
  const { hints, clock } = known({ replies: BUILT_IN_REPLY_RULES });
  const google = { ...failure, host: "aspmx.l.google.com" };
  const why = status(421, "7.28", "unusual rate of unsolicited mail");
  assert.equal(hints.failed(KEY, { ...google, status: why }), clock.now() + HOUR);
});

test("a retry time is spread a little, so that hosts which failed together do not come back together", () => {
  const { hints, clock } = known({ random: () => 1 });
  assert.equal(hints.failed(KEY, failure), clock.now() + 15 * MINUTE * 1.05);
});

test("what an earlier run knew still holds", () => {
  const first = known();
  const next = first.hints.failed(KEY, failure);
  const second = new HostHints({ retry: [], replies: [] }, first.clock);
  second.attach(store(), first.kept.saved);
  assert.equal(second.blocked(KEY)?.nextTry, next);
});

test("a hint that nobody used for a week is forgotten at the start, and in the course of a long run", () => {
  const { hints, clock, kept } = known();
  hints.failed(KEY, failure);
  clock.advance(8 * DAY);
  const later = new HostHints({ retry: [], replies: [] }, clock);
  const other = store();
  other.saved.set(KEY, kept.saved.get(KEY) ?? assert.fail());
  later.attach(other, new Map(other.saved));
  assert.ok(later.isEmpty && other.saved.size === 0);
  hints.failed("another", failure);
  assert.deepEqual([...kept.saved.keys()], ["another"]);
  assert.ok(!hints.isInDoubt(KEY));
});

test("a host that failed weeks ago and fails again is at the beginning of the rules", () => {
  const { hints, clock } = known();
  hints.failed(KEY, failure);
  hints.failed("another", failure);
  clock.advance(8 * DAY);
  assert.equal(hints.failed(KEY, failure), clock.now() + 15 * MINUTE);
});

test("a clock that was set back blocks nobody for longer than a hint can hold", () => {
  const clock = manualClock(Date.UTC(2031, 0, 1));
  const future = known({}, clock);
  future.hints.failed(KEY, failure);
  const today = manualClock();
  const hints = new HostHints({ retry: [], replies: [], random: () => 0 }, today);
  hints.attach(store(), future.kept.saved);
  assert.equal(hints.blocked(KEY), undefined);
  assert.equal(hints.failed(KEY, failure), today.now() + 15 * MINUTE);
});

test("only a reply that says so puts all mail for a recipient off", () => {
  const { hints, clock } = known({ replies: BUILT_IN_REPLY_RULES });
  const host = "aspmx.l.google.com";
  const tooFast = { ...failure, host, status: status(450, "2.1", "receiving mail too quickly") };
  const full = { ...failure, host, status: status(452, "2.2", "over quota") };
  const elsewhere = { ...tooFast, host: "mx.example.net" };
  assert.equal(hints.recipientFailed("bob@example.com", full), undefined);
  assert.equal(hints.recipientFailed("bob@example.com", elsewhere), undefined);
  assert.ok(hints.isEmpty);
  assert.equal(hints.recipientFailed("bob@example.com", tooFast), clock.now() + 5 * MINUTE);
  assert.ok(hints.blocked("bob@example.com"));
  assert.equal(hints.blocked("carol@example.com"), undefined);
});

test("who waits is woken by a success, and not by one elsewhere", async () => {
  const { hints, kept } = known();
  hints.failed(KEY, failure);
  hints.awaited(KEY);
  hints.succeeded("another");
  assert.deepEqual(kept.woken, []);
  hints.succeeded(KEY);
  assert.deepEqual(kept.woken, [KEY]);
});

test("who begins to wait when the host is back already is woken at once", () => {
  const { hints, kept } = known();
  hints.failed(KEY, failure);
  hints.succeeded(KEY);
  hints.awaited(KEY);
  assert.deepEqual(kept.woken, [KEY]);
});

test("who waited in an earlier run is woken too", () => {
  const first = known();
  first.hints.failed(KEY, failure);
  const second = new HostHints({ retry: [], replies: [] }, first.clock);
  const kept = store();
  second.attach(kept, first.kept.saved);
  second.succeeded(KEY);
  assert.deepEqual(kept.woken, [KEY]);
});

test("all hints together have a bound: the one that failed longest ago is forgotten", () => {
  const { hints, kept } = known();
  const long = { ...failure, status: status(451, "4.1", "x".repeat(1000)) };
  for (let count = 0; count < 20_000; count++) hints.failed(`host${count}`, long);
  assert.equal(hints.blocked("host0"), undefined);
  assert.ok(hints.blocked("host19999"));
  assert.ok(kept.saved.size > 5000 && kept.saved.size < 15_000, `${kept.saved.size}`);
});

const closed = (message: string, isSilent = false) => ({ message, isSilent });
const CLOSED = { ...failure, status: status(421, "3.2", "closing") };

describe("a host that ends connections under messages", () => {
  test("is blocked for nobody after one, however often that comes", () => {
    const { hints, kept } = known();
    for (let count = 0; count < 5; count++) hints.closedUnder(KEY, CLOSED, closed("m1"));
    assert.equal(hints.blocked(KEY, "m2"), undefined);
    assert.equal(hints.blocked(KEY, "m1"), undefined);
    assert.equal(hints.isInDoubt(KEY), false);
    assert.equal(kept.saved.size, 0);
  });

  test("and says nothing is blocked for that message", () => {
    const { hints } = known();
    hints.closedUnder(KEY, CLOSED, closed("m1", true));
    assert.ok(hints.blocked(KEY, "m1"));
    assert.equal(hints.blocked(KEY, "m2"), undefined);
  });

  test("is left alone for seconds after the second, and longer after each one more, up to a minute", () => {
    const { hints, clock } = known();
    const pauses: number[] = [];
    for (let count = 1; count <= 10; count++) {
      hints.closedUnder(KEY, CLOSED, closed(`m${count}`));
      pauses.push(((hints.blocked(KEY)?.nextTry ?? clock.now()) - clock.now()) / 1000);
      assert.equal(hints.isInDoubt(KEY), count > 1);
      clock.advance(60_000);
    }
    assert.deepEqual(pauses, [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
    hints.succeeded(KEY);
    assert.ok(hints.isEmpty);
  });

  test("and could not be reached before, is up: nobody waits for its clock any more", () => {
    const { hints, clock, kept } = known();
    hints.failed(KEY, failure);
    clock.advance(16 * MINUTE);
    hints.closedUnder(KEY, CLOSED, closed("m1"));
    assert.equal(hints.blocked(KEY, "m2"), undefined);
    assert.equal(kept.saved.size, 0);
  });

  test("and then cannot be reached, is at the beginning of its rules", () => {
    const { hints, clock } = known();
    hints.closedUnder(KEY, CLOSED, closed("m1"));
    clock.advance(3 * HOUR);
    assert.equal(hints.failed(KEY, failure), clock.now() + 15 * MINUTE);
    assert.ok(hints.blocked(KEY, "m2"));
    hints.closedUnder(KEY, CLOSED, closed("m3"));
    assert.ok(hints.blocked(KEY, "m2"));
  });
});

for (const step of [DAY, -DAY, 400 * DAY, -HOUR]) {
  test(`a host is left alone for as long as its rules say, though the clock is set by ${step / HOUR} h`, () => {
    const { hints, clock } = known();
    hints.failed(KEY, failure);
    clock.step(step);
    clock.advance(15 * MINUTE - 2);
    assert.equal(hints.blocked(KEY)?.nextTry, clock.now() + 2);
    clock.advance(2);
    assert.equal(hints.blocked(KEY), undefined);
    assert.equal(hints.failed(KEY, failure), clock.now() + 15 * MINUTE);
  });
}

test("what a clock that was a day ahead has saved blocks nobody after a restart", () => {
  const { hints, clock, kept } = known();
  clock.step(DAY);
  hints.failed(KEY, failure);
  clock.step(-DAY);
  const again = new HostHints({ retry: [], replies: [], random: () => 0 }, clock);
  again.attach(store(), kept.saved);
  assert.equal(again.blocked(KEY), undefined);
  assert.ok(again.isInDoubt(KEY), "one message finds out");
});

test("of the crowds that an earlier run left, those are woken that wait for nothing known, up to a hundred", () => {
  const first = known();
  first.hints.failed(KEY, failure);
  const second = new HostHints({ retry: [], replies: [] }, first.clock);
  const kept = store();
  second.attach(kept, first.kept.saved);
  const left = Array.from({ length: 150 }, (_, number) => `mx${number}`);
  second.resume([KEY, ...left]);
  assert.deepEqual(kept.woken, left.slice(0, 100));
  second.succeeded("mx149");
  second.succeeded(KEY);
  assert.deepEqual(kept.woken.slice(100), ["mx149", KEY]);
});
