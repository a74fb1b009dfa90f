import assert from "node:assert/strict";
import { test } from "node:test";

import {
  DEFAULT_RETRY,
  matchRetryRule,
  nextAttempt,
  parseRetryRules,
  retryUntil,
  type RetryRule,
} from "../../src/retry/retry.ts";

const HOUR = 3_600_000;

function rulesOf(text: string): readonly RetryRule[] {
  const parsed = parseRetryRules(text);
  assert.ok("rules" in parsed, "problem" in parsed ? parsed.problem : "");
  return parsed.rules;
}

function problemOf(text: string): string {
  const parsed = parseRetryRules(text);
  assert.ok("problem" in parsed, `${text} was taken`);
  return parsed.problem;
}

/** The hours after the first failure at which attempts follow, when each fails after `took` ms. */
function schedule(text: string, took = 0, random = () => 0): number[] {
  const rules = rulesOf(text);
  const hours: number[] = [];
  let now = 1_000_000;
  for (;;) {
    const next = nextAttempt(rules, { firstFailureAt: 1_000_000, now, random });
    if (next.kind === "final") return hours;
    assert.ok(Number.isInteger(next.at) && next.at > now, `${next.at} comes after ${now}`);
    hours.push(Math.round(((next.at - 1_000_000) / HOUR) * 1000) / 1000);
    now = next.at + took;
  }
}

test("the default rules give Exim's times", () => {
  const times = schedule(DEFAULT_RETRY);
  assert.deepEqual(times.slice(0, 8), [0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2]);
  assert.deepEqual(times.slice(8, 14), [3, 4.5, 6.75, 10.125, 15.188, 22.781]);
  assert.deepEqual(times.slice(14, 17), [28.781, 34.781, 40.781]);
});

test("the last attempt is made at the last cut-off, due or not, and is final", () => {
  assert.deepEqual(schedule(DEFAULT_RETRY).slice(-2), [190.781, 192]);
  assert.deepEqual(schedule("F,1h,25m"), [0.417, 0.833, 1]);
  assert.deepEqual(schedule("F,1h,30m"), [0.5, 1]);
  assert.deepEqual(schedule("F,10m,1h"), [0.167]);
});

test("retryUntil is the time of that last attempt", () => {
  assert.equal(retryUntil(rulesOf(DEFAULT_RETRY), 5), 5 + 192 * HOUR);
  assert.equal(retryUntil([], 5), 5);
});

test("without rules the first attempt is the last", () => {
  assert.deepEqual(rulesOf(" "), []);
  assert.deepEqual(schedule(""), []);
});

test("a full interval lies between attempts, however long each of them takes", () => {
  const slow = 20 * 60_000;
  const times = schedule("F,2h,15m", slow);
  for (const [index, time] of times.slice(0, -1).entries()) {
    const before = index === 0 ? 0 : (times[index - 1] ?? 0) + slow / HOUR;
    assert.ok(time - before >= 0.249, `${before} to ${time}`);
  }
});

test("after a long stop the interval in force is taken, not all that were missed", () => {
  const rules = rulesOf(DEFAULT_RETRY);
  const now = 100 * HOUR;
  assert.deepEqual(nextAttempt(rules, { firstFailureAt: 0, now }), {
    kind: "retry",
    at: 106 * HOUR,
  });
  assert.deepEqual(nextAttempt(rules, { firstFailureAt: 0, now: 193 * HOUR }), { kind: "final" });
});

test("a clock that was set back does not end the retries", () => {
  const rules = rulesOf("F,2h,15m");
  assert.deepEqual(nextAttempt(rules, { firstFailureAt: 10 * HOUR, now: 0 }), {
    kind: "retry",
    at: HOUR / 4,
  });
});

test("a geometric rule goes on from a longer interval before it, as Exim's does", () => {
  assert.deepEqual(schedule("F,4h,2h; G,20h,1h,1.5"), [2, 4, 7, 11.5, 18.25, 20]);
});

test("no interval grows beyond a day", () => {
  const times = schedule("G,20d,12h,10");
  assert.deepEqual(times.slice(0, 4), [12, 36, 60, 84]);
});

test("H lies between the middle of G's interval's way and G's interval", () => {
  const rules = rulesOf("H,16h,1h,2");
  const at = (random: number) => {
    const next = nextAttempt(rules, { firstFailureAt: 0, now: HOUR, random: () => random });
    return next.kind === "retry" ? next.at - HOUR : 0;
  };
  assert.equal(at(0), 1.5 * HOUR);
  assert.equal(at(0.5), 1.75 * HOUR);
  assert.equal(at(1), 2 * HOUR);
});

test("a year of short intervals is worked out at once", () => {
  const rules = rulesOf("F,364d,1s");
  const next = nextAttempt(rules, { firstFailureAt: 0, now: 300 * 24 * HOUR });
  assert.deepEqual(next, { kind: "retry", at: 300 * 24 * HOUR + 1000 });
});

test("what is wrong with a rule is said with the rule", () => {
  assert.match(problemOf("F,2h"), /"F,2h": must read like "F,2h,15m"/);
  assert.match(problemOf("X,2h,15m"), /must begin with F, G or H/);
  assert.match(problemOf("F,2h,15m,2"), /no factor/);
  assert.match(problemOf("G,2h,15m"), /needs a factor/);
  assert.match(problemOf("G,2h,15m,0.5"), /must be 1 or more/);
  assert.match(problemOf("G,2h,15m,1.5,x"), /must read like "G,/);
  assert.match(problemOf("F,2h,0s"), /longer than nothing/);
  assert.match(problemOf("F,600d,1h"), /within 52w/);
  assert.match(problemOf("F,2h,15m; F,1h,15m"), /no later than the rule before/);
});

const entry = (match: string, text: string) => ({ match, rules: rulesOf(text) });

test("the first entry that matches host, domain or address decides", () => {
  const configs = [
    entry("Boss@example.com", "F,1h,1m"),
    entry("example.com", "F,2h,1m"),
    entry("*.example.net", "F,3h,1m"),
    entry("*", "F,4h,1m"),
  ];
  const cutoff = (address: string, host?: string) => {
    const domain = address.slice(address.indexOf("@") + 1);
    const subject = host === undefined ? { domain, address } : { domain, address, host };
    return (matchRetryRule(configs, subject)[0]?.cutoff ?? 0) / HOUR;
  };
  assert.equal(cutoff("boss@example.com"), 1);
  assert.equal(cutoff("bob@example.com"), 2);
  assert.equal(cutoff("bob@sub.example.com"), 4);
  assert.equal(cutoff("bob@example.org", "MX1.Example.NET"), 3);
  assert.equal(cutoff("bob@example.net"), 4);
  assert.equal(cutoff('"x@.example.net"@example.org'), 4);
});

test("an address that no entry matches gets the default rules", () => {
  const subject = { domain: "example.com", address: "a@example.com" };
  assert.deepEqual(matchRetryRule([], subject), rulesOf(DEFAULT_RETRY));
});
