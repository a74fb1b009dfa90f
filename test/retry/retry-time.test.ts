// When a delivery is tried again, by what became of it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hostPlace } from "../support/place.ts";
import type { Outcome } from "../../src/contract/contract.ts";
import type { Elapsed } from "../../src/base/clock-steps.ts";
import { BUILT_IN_REPLY_RULES, type RetryPolicy } from "../../src/retry/reply-rules.ts";
import { parseRetryRules } from "../../src/retry/retry.ts";
import { isForced, nextTime, replyRule, retryTime } from "../../src/retry/retry-time.ts";
import type { Finding } from "../../src/retry/clocks/finding.ts";
import type { StoredRecipient } from "../../src/spool/spool.ts";
import { status } from "../../src/mail/status.ts";
import { believed } from "../support/clock.ts";
import { mailbox, finding } from "../support/build.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOW = Date.UTC(2026, 0, 1);
const HOST = hostPlace("mx.example.net [192.0.2.1]");
const AWAITED = { key: "mx.example.net [192.0.2.1]", host: "mx.example.net" };

type Deferral = Extract<Outcome, { kind: "deferred" }>;

function deferral(given: Partial<Deferral>): Finding {
  const later = status(451, "3.0", "later");
  return finding({ kind: "deferred", status: later, scope: "recipient", ...given });
}

function policy(retry: readonly (readonly [match: string, error: string, text: string])[] = []) {
  const configs = retry.map(([match, error, text]) => {
    const parsed = parseRetryRules(text);
    assert.ok("rules" in parsed);
    return { match, rules: parsed.rules, ...(error === "" ? {} : { errors: [error] }) };
  });
  const all: RetryPolicy & { elapsed: Elapsed } = {
    elapsed: believed,
    retry: configs,
    replies: BUILT_IN_REPLY_RULES,
    random: () => 0,
  };
  return all;
}

/** Minutes from now; undefined when it was the last. */
function wait(given: Partial<Deferral>, age = 0, rules = policy()): number | undefined {
  const at = retryTime(deferral(given), NOW - age, NOW, rules);
  return at === undefined ? undefined : (at - NOW) / MINUTE;
}

describe("the next attempt of what was tried", () => {
  test("is by the recipient's own clock, for its own trouble and for the message's", () => {
    assert.equal(wait({ scope: "recipient", place: HOST }), 15);
    assert.equal(wait({ scope: "message", place: HOST }, 2 * HOUR), 60);
  });

  test("is by the host's clock, when the host has one, behind all others who wait for it", () => {
    const failed = { scope: "host", notBefore: NOW + 7 * HOUR, waitsFor: AWAITED } as const;
    assert.equal(wait(failed), 7 * 60 + 5);
    for (const chance of [0, 0.5, 1]) {
      const random = { ...policy(), random: () => chance };
      assert.ok((wait({ ...failed, untried: true }, 0, random) ?? 0) <= (wait(failed) ?? 0));
    }
  });

  test("is not later than the end of the recipient's rules, whatever the host's clock says", () => {
    const hint = { scope: "host", notBefore: NOW + 6 * HOUR, waitsFor: AWAITED } as const;
    assert.equal(wait(hint, 8 * DAY - HOUR), 60);
  });

  test("is none after the end of the rules", () => {
    assert.equal(wait({}, 8 * DAY), undefined);
    assert.equal(wait({ scope: "host", notBefore: NOW + HOUR }, 8 * DAY), undefined);
  });

  test("is spread a little by chance", () => {
    const random = { ...policy(), random: () => 1 };
    assert.equal(wait({}, 0, random), 15 * 1.05);
    assert.equal(wait({}, 8 * DAY - MINUTE, random), 1);
  });

  test("is by the rules for what went wrong", () => {
    const rules = policy([
      ["*", "rcpt_452", "F,1d,1m"],
      ["*", "rcpt_4xx", "F,1d,2m"],
      ["*", "data_4xx", "F,1d,3m"],
      ["*", "quota", "F,1d,4m"],
      ["*", "timeout", "F,1d,5m"],
      ["*", "lookup", "F,1d,6m"],
    ]);
    const full = status(452, "2.2", "full");
    const remote = { place: HOST };
    assert.equal(wait({ status: full, ...remote }, 0, rules), 1);
    assert.equal(wait(remote, 0, rules), 2);
    assert.equal(wait({ ...remote, scope: "message" }, 0, rules), 3);
    assert.equal(wait({ error: "quota" }, 0, rules), 4);
    assert.equal(wait({ ...remote, scope: "host", error: "timeout" }, 0, rules), 5);
    assert.equal(wait({ error: "lookup" }, 0, rules), 6);
    assert.equal(wait({ ...remote, scope: "host" }, 0, rules), 15);
  });

  test("is by the row for the host's very reply", () => {
    const place = hostPlace("aspmx.l.google.com [192.0.2.1]");
    assert.equal(wait({ place, status: status(452, "2.2", "full") }), 4 * 60);
    assert.equal(wait({ place, status: status(450, "2.1", "too fast") }), 5);
    assert.equal(wait({ place: HOST, status: status(452, "2.2", "full") }), 15);
  });
});

describe("the next attempt of what was not tried", () => {
  const untried = { untried: true, scope: "host", place: HOST } as const;

  test("is when it makes sense, and exactly at its turn", () => {
    const random = { ...policy(), random: () => 1 };
    assert.equal(wait({ ...untried, notBefore: NOW + 5 * MINUTE }, 0, random), 5);
  });

  test("is a little after whoever finds out about the host", () => {
    const random = { ...policy(), random: () => 1 };
    const waits = { ...untried, notBefore: NOW + 100 * MINUTE, waitsFor: AWAITED };
    assert.equal(wait(waits, 0, random), 105);
  });

  test("is not later than the end of the rules, so that the last attempt is made in time", () => {
    const waits = { ...untried, notBefore: NOW + 6 * HOUR, waitsFor: AWAITED };
    assert.equal(wait(waits, 8 * DAY - HOUR), 60);
  });

  test("comes after the end of the rules too: what was not tried was not the last attempt", () => {
    assert.equal(wait({ ...untried, notBefore: NOW + HOUR }, 9 * DAY), 60);
  });

  test("raises no alarm again for what the host said to another", () => {
    const said = {
      status: status(421, "7.0", "IP not in whitelist for RCPT domain"),
      place: hostPlace("aspmx.l.google.com [192.0.2.1]"),
      scope: "host",
    } as const;
    assert.ok(replyRule(deferral(said), policy())?.alarm);
    assert.equal(replyRule(deferral({ ...said, untried: true }), policy()), undefined);
  });
});

test("who waits for a host is tried at the end of any rules that may be his, and not hours later", () => {
  const waits = { untried: true, notBefore: NOW + 6 * HOUR } as const;
  const rules = policy([["*", "timeout", "F,2h,15m"]]);
  assert.equal(wait(waits, HOUR, rules), 60);
  assert.equal(wait(waits, 3 * HOUR, rules), 360);
  assert.equal(wait(waits, HOUR, policy([["*.org", "timeout", "F,2h,15m"]])), 360);
});

function forced(given: Partial<StoredRecipient>, rules = policy()): boolean {
  const recipient: StoredRecipient = {
    position: 0,
    mailbox: mailbox("bob@example.com"),
    state: "pending",
    attempts: 3,
    nextAttempt: NOW,
    ...given,
  };
  return isForced(recipient, NOW, rules);
}

describe("hints are ignored", () => {
  test("at the first attempt and at those between: no", () => {
    assert.ok(!forced({}));
    assert.ok(!forced({ firstFailure: NOW - 8 * DAY + 1 }));
  });

  test("at the last attempt: yes", () => {
    assert.ok(forced({ firstFailure: NOW - 8 * DAY }));
  });

  test("when the postmaster has asked for the attempt: yes", () => {
    assert.ok(forced({ forced: true }));
  });

  test("at the end of rules for one kind of trouble, when the attempt is due for that: yes", () => {
    const rules = policy([["*", "timeout", "F,1h,5m"]]);
    assert.ok(forced({ firstFailure: NOW - HOUR }, rules));
    assert.ok(!forced({ firstFailure: NOW - HOUR, nextAttempt: NOW - 1 }, rules));
    assert.ok(!forced({ firstFailure: NOW - HOUR }, policy([["*.org", "timeout", "F,1h,5m"]])));
  });

  test("the end is that of the rules for the domain, the address or the host", () => {
    const hourAgo = { firstFailure: NOW - HOUR };
    assert.ok(forced(hourAgo, policy([["example.com", "", "F,1h,5m"]])));
    assert.ok(forced(hourAgo, policy([["bob@example.com", "", "F,1h,5m"]])));
    assert.ok(
      forced({ ...hourAgo, waitsFor: AWAITED }, policy([["*.example.net", "", "F,1h,5m"]])),
    );
    assert.ok(!forced(hourAgo, policy([["*.example.net", "", "F,1h,5m"]])));
  });
});

describe("a time that is stored", () => {
  const failures = { firstFailure: NOW - HOUR, failedBefore: true };
  const shaken: Elapsed = {
    since: (at, now) => now - at - 0.625,
    watched: Number.POSITIVE_INFINITY,
  };
  const deferrals: Readonly<Record<string, Partial<Deferral>>> = {
    "of a turn": { untried: true, notBefore: NOW + MINUTE + 0.25 },
    "of a host": { notBefore: NOW + MINUTE + 0.25, waitsFor: AWAITED },
    "that an end is put off to": { notFinalBefore: NOW + MINUTE + 0.25 },
    "by the rules": {},
  };
  for (const [what, given] of Object.entries(deferrals)) {
    for (const elapsed of [believed, shaken]) {
      const clock = elapsed === believed ? "right" : "set";
      test(`${what} is whole milliseconds, by a clock that was ${clock}`, () => {
        for (const rules of ["F,8d,15m", "F,61m,15m"]) {
          const next = nextTime(deferral(given), failures, NOW, {
            ...policy([["*", "", rules]]),
            elapsed,
          });
          assert.ok(next !== undefined && Number.isInteger(next) && next > NOW, `${next}`);
        }
      });
    }
  }
});
