// Silence is a finding only if it is longer than usual for this hour of the week.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { flowFinding } from "../../../src/parts/doctor/flow.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOW = Date.parse("2026-11-25T10:00:00Z");

/** A history of messages that came by these rules. */
function historyOf(messages: readonly (readonly [at: number, rule: string])[]) {
  const sorted = messages.toSorted(([a], [b]) => a - b);
  return {
    beginning: sorted[0]?.[0],
    *arrivals(rule: string, span: { readonly from: number; readonly to: number }, order: string) {
      const found = sorted.filter(
        ([at, by]) => by.includes(rule) && at >= span.from && at < span.to,
      );
      for (const [at] of order === "newest first" ? found.toReversed() : found) yield at;
    },
  };
}

/** A message every `pause` from `days` ago to `silence` ago. */
const steady = (days: number, pause: number, silence: number, rule = "local_domains") =>
  Array.from(
    { length: Math.ceil((days * DAY - silence) / pause) },
    (_, index) => [NOW - silence - index * pause, rule] as const,
  );

/** Not from 20:00 to 06:00. */
const byDay = ([at]: readonly [number, string]) => {
  const hour = new Date(at).getUTCHours();
  return hour >= 6 && hour < 20;
};

suite("the flow of mail", () => {
  const cases: readonly (readonly [string, ReturnType<typeof steady>, number, string, RegExp])[] = [
    ["flows", steady(9, 10 * MINUTE, 3 * MINUTE), NOW, "ok", /: 3m ago; .* is 10m$/],
    ["has stopped", steady(9, 10 * MINUTE, 2 * HOUR), NOW, "warn", /: 2h ago; .* is 10m$/],
    ["is short of the usual twice", steady(9, 2 * HOUR, 3 * HOUR), NOW, "ok", /: 3h ago/],
    ["is twice as long as usual", steady(9, 2 * HOUR, 4 * HOUR), NOW, "warn", /: 4h ago/],
    ["pauses for less than half an hour", steady(9, MINUTE, 29 * MINUTE), NOW, "ok", /: 29m ago/],
    [
      "sleeps at night, as it did a week ago",
      steady(10, 5 * MINUTE, 0).filter(byDay),
      Date.parse("2026-11-26T05:00:00Z"),
      "ok",
      /is 10h$/,
    ],
    [
      "sleeps by day, as it did not a week ago",
      steady(10, 5 * MINUTE, 4 * HOUR).filter(byDay),
      NOW,
      "warn",
      /: 4h ago; .* is 5m$/,
    ],
    ["is too young to compare", steady(6, 10 * MINUTE, 2 * HOUR), NOW, "ok", /too short to say/],
    ["has nothing", [], NOW, "skipped", /^no message in is in the history$/],
    ["has only mail out", steady(9, HOUR, 0, "gate.relay[0]"), NOW, "skipped", /^no message in/],
  ];
  for (const [name, messages, now, result, found] of cases) {
    test(name, () => {
      const finding = flowFinding("in", historyOf(messages), now);
      assert.equal(finding.result, result, finding.found);
      assert.match(finding.found, found);
      assert.equal(finding.advice !== "", result === "warn");
    });
  }

  test("is judged by direction", () => {
    const messages = [...steady(9, HOUR, 0), ...steady(9, HOUR, 9 * HOUR, "gate.relay[1]")];
    assert.equal(flowFinding("in", historyOf(messages), NOW).result, "ok");
    assert.equal(flowFinding("out", historyOf(messages), NOW).result, "warn");
  });
});
