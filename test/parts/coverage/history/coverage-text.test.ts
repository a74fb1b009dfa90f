import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type {
  AccountLine,
  CoverageReport,
} from "../../../../src/parts/coverage/history/coverage-report.ts";
import {
  coverageLines,
  coverageObject,
} from "../../../../src/parts/coverage/history/coverage-text.ts";

const NOW = Date.UTC(2026, 10, 30, 12);
const HOUR = 3_600_000;

const line = (address: string, copies = 0, given: Partial<AccountLine> = {}): AccountLine => ({
  account: { address, kind: "user", state: "active", aliases: [], from: "a test" },
  in: { count: copies, last: NOW - HOUR },
  out: { count: copies, last: NOW },
  isNever: copies === 0,
  ...given,
});

const report = (given: Partial<CoverageReport> = {}): CoverageReport => ({
  since: NOW - 7 * 24 * HOUR,
  lines: [],
  senders: [],
  pending: [],
  elsewhere: 0,
  leftOut: 0,
  problems: [],
  ...given,
});

const textOf = (given: Partial<CoverageReport>) => coverageLines(report(given), 7, NOW).join("\n");

const isAddress = (text: string) => /^ {2}\S+$/.test(text);

const isWhole = (given: Partial<CoverageReport>) =>
  Reflect.get(coverageObject(report(given), 7), "is_whole");

describe("the text", () => {
  test("of a few accounts has a table of all", () => {
    const text = textOf({ lines: [line("alice@example.com", 12), line("bob@example.com")] });
    assert.match(text, /^ {2}alice@example\.com +12 {2}\S+ \S+ +12 {2}\S+ \S+$/m);
    assert.match(text, /^ {2}bob@example\.com +0 {2}- +0 {2}-$/m);
    assert.match(text, /Accounts that never had a copy:\n {2}bob@example\.com +user/);
  });

  test("of 10 000 accounts is short, and fits 80 columns", () => {
    const lines = Array.from({ length: 10_000 }, (_, at) =>
      line(`${"user".repeat(1 + (at % 20))}${at}@a-long-domain.example.com`, at % 7),
    );
    const senders = Array.from({ length: 500 }, (_, at) => ({
      sender: `${"sender".repeat(1 + (at % 5))}${at}@example.com`,
      kind: "missing" as const,
      count: 100_000 + at,
      last: NOW,
      why: "not an account, and no router copies mail of unlisted senders",
    }));
    const shown = coverageLines(report({ lines, senders, elsewhere: 1_234_567 }), 7, NOW);
    assert.ok(shown.length < 100, String(shown.length));
    assert.deepEqual(
      shown.filter((text) => text.length > 80 && !isAddress(text)),
      [],
    );
    assert.ok(shown.includes("  … and 480 more: see --json"));
    const object = JSON.stringify(coverageObject(report({ lines, senders }), 7));
    assert.equal(JSON.parse(object).accounts.length, 10_000);
    assert.equal(JSON.parse(object).without_copy.length, 500);
  });

  test("says where the history is shorter or has gaps", () => {
    assert.doesNotMatch(textOf({}), /shorter|no room/);
    assert.match(textOf({ begin: NOW - 30 * HOUR }), /The history is shorter: .* 30 hours ago/);
    assert.match(textOf({ begin: NOW - 72 * HOUR }), /3 days\s+ago/);
    assert.match(textOf({ leftOut: 3 }), /3 events had no room/);
    assert.match(textOf({ problems: ["a list cannot be read"] }), /a list cannot be read/);
  });

  test("says if one direction has no copies at all", () => {
    const none = { count: 0, last: 0 };
    assert.match(
      textOf({ lines: [line("a@example.com", 1, { out: none })] }),
      /outbound\s+gateway/,
    );
    assert.match(textOf({ lines: [line("a@example.com", 1, { in: none })] }), /MX record/);
    assert.match(textOf({}), /No router copies the mail/);
  });

  test("shows hostile names in a printable form", () => {
    const text = textOf({ lines: [line("a\u202e\n@example.com", 1)] });
    assert.ok(text.includes(String.raw`a\u202e\u000a@example.com`));
  });
});

test("the object says whether it is whole", () => {
  assert.equal(isWhole({}), true);
  for (const given of [{ begin: NOW }, { leftOut: 1 }, { problems: ["x"] }]) {
    assert.equal(isWhole(given), false);
  }
});
