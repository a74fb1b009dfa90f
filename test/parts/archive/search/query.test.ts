// The query language: what a query asks, and what a mistake is answered with.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Condition } from "../../../../src/parts/archive/search/condition.ts";
import { parseQuery } from "../../../../src/parts/archive/search/query.ts";
import { seeded } from "../../../support/random.ts";

const MOMENT = { now: Date.UTC(2026, 11, 1, 12), zone: "Europe/Berlin" };
const DAY = 86_400_000;

function conditionOf(query: string): Condition {
  const parsed = parseQuery(query, MOMENT);
  assert.ok("condition" in parsed, `${query}: ${"problem" in parsed ? parsed.problem : ""}`);
  return parsed.condition;
}

function problemOf(query: string): string {
  const parsed = parseQuery(query, MOMENT);
  assert.ok("problem" in parsed, `${query} is understood as ${JSON.stringify(parsed)}`);
  return parsed.problem;
}

const field = (name: string | undefined) => (name === undefined ? "" : `${name}:`);

/** A condition in short: alice* is a prefix, [a b] a phrase, {a|b} are alternatives. */
function short(condition: Condition): string {
  if (condition.kind === "all") return `(${condition.of.map(short).join(" ")})`;
  if (condition.kind === "any") return `{${condition.of.map(short).join("|")}}`;
  if (condition.kind === "not") return `-${short(condition.of)}`;
  if (condition.kind !== "words") return JSON.stringify(condition);
  const { tokens, isPrefix } = condition.words;
  const text = tokens.length === 1 ? tokens.join("") : `[${tokens.join(" ")}]`;
  return field(condition.field) + text + (isPrefix ? "*" : "");
}

const asks = (queries: Readonly<Record<string, string>>) => {
  for (const [query, expected] of Object.entries(queries)) {
    assert.equal(short(conditionOf(query)), expected, query);
  }
};

const fails = (queries: Readonly<Record<string, RegExp>>) => {
  for (const [query, expected] of Object.entries(queries)) {
    assert.match(problemOf(query), expected, query);
  }
};

/** The range of delivery that a query asks for. */
function range(query: string) {
  const condition = conditionOf(query);
  assert.equal(condition.kind, "delivered");
  return condition.range;
}

describe("words and phrases", () => {
  test("terms are combined with AND", () => {
    asks({
      alpha: "alpha",
      "  alpha\tbeta\n": "(alpha beta)",
      '"alpha beta" gamma': "([alpha beta] gamma)",
      "“alpha beta”": "[alpha beta]",
      'alpha"beta gamma"': "(alpha [beta gamma])",
      "and or not": "(and or not)",
    });
  });

  test("what is no single word becomes a phrase", () => {
    asks({
      "user@example.org": "[user example org]",
      "well-known": "[well known]",
      "foo.bar": "[foo bar]",
      "1.234,56": "[1 234 56]",
      "don't": "[don t]",
      foo_bar: "[foo bar]",
      "<a@b>": "[a b]",
    });
  });

  test("a star at the end makes a beginning", () => {
    asks({
      "inv*": "inv*",
      "a*": "a*",
      "well-kn*": "[well kn]*",
      '"annual rep*"': "[annual rep]*",
      '"annual rep"*': "[annual rep]*",
      "from:ali*": "from:ali*",
      'subject:"annual rep"*': "subject:[annual rep]*",
      語: "語*",
      '"2 * 3"': "[2 3]",
    });
    fails({
      "*oice": /may only stand at the end/,
      "f*o": /end of a word/,
      "**": /no letter or digit/,
    });
  });

  test("text with a colon that is no operator", () => {
    asks({
      "http://example.org/x": "[http example org x]",
      "12:30": "[12 30]",
      "Re: invoice": "(re invoice)",
      "fwd:invoice": "[fwd invoice]",
      "fe80::1": "[fe80 1]",
      "subject:re:invoice": "subject:[re invoice]",
      '"from: alice"': "[from alice]",
    });
  });
});

describe("operators", () => {
  test("fields, in any case, with quotes and groups", () => {
    asks({
      "from:alice": "from:alice",
      "FROM:Alice": "from:alice",
      "to:a@b.c": "to:[a b c]",
      'subject:"two words" body:x': "(subject:[two words] body:x)",
      "attachment:a filename:b.pdf": "(attachment:a filename:[b pdf])",
      "subject:(a OR b -c)": "({subject:a|subject:b} -subject:c)",
    });
  });

  test("account, folder, in, id, has", () => {
    assert.deepEqual(conditionOf("account:*@example.org"), {
      kind: "account",
      account: "@example.org",
    });
    assert.deepEqual(conditionOf('folder:"Old mail/2026"'), {
      kind: "folder",
      folder: "Old mail/2026",
    });
    assert.deepEqual(conditionOf("in:SENT"), { kind: "folder", folder: "Sent" });
    assert.deepEqual(conditionOf("in:inbox"), { kind: "folder", folder: "INBOX" });
    assert.deepEqual(conditionOf("id:<A.b@c>"), { kind: "messageId", id: "A.b@c" });
    assert.deepEqual(conditionOf("has:attachment"), { kind: "hasAttachment" });
  });

  test("after includes the day, before does not, on is one day", () => {
    const midnight = Date.UTC(2026, 10, 29, 23);
    assert.deepEqual(range("after:2026-11-30"), { from: midnight });
    assert.deepEqual(range("before:2026/11/30"), { before: midnight });
    assert.deepEqual(range("on:yesterday"), { from: midnight, before: midnight + DAY });
    assert.deepEqual(range("on:2026-10-25"), {
      from: Date.UTC(2026, 9, 24, 22),
      before: Date.UTC(2026, 9, 25, 23),
    });
    assert.deepEqual(range("older:30d"), { before: MOMENT.now - 30 * DAY });
    assert.deepEqual(range("newer:12h"), { from: MOMENT.now - DAY / 2 });
  });

  test("sizes are binary, and larger means more than", () => {
    assert.deepEqual(conditionOf("larger:5M"), { kind: "size", range: { from: 5_242_881 } });
    assert.deepEqual(conditionOf("smaller:64k"), { kind: "size", range: { before: 65_536 } });
  });
});

describe("exclusion, OR and parentheses", () => {
  test("a minus excludes a word, a phrase, an operator or a group", () => {
    asks({
      "-alpha": "-alpha",
      'a -"b c"': "(a -[b c])",
      "a -from:b": "(a -from:b)",
      "-(a OR b)": "-{a|b}",
      "a-b": "[a b]",
    });
    fails({ "- alpha": /no letter/, "–alpha": /write "-" before it/, "a NOT b": /write "-"/ });
  });

  test("OR binds closer than AND", () => {
    asks({
      "a b OR c d": "(a {b|c} d)",
      "a OR b OR c": "{a|b|c}",
      "a OR (b c)": "{a|(b c)}",
      "a AND b OR -c": "(a {b|-c})",
      "(((a)))": "a",
      "ORDER ANDY NOTE": "(order andy note)",
    });
    fails({
      OR: /both sides/,
      "a OR": /both sides/,
      "OR a": /both sides/,
      "a OR OR b": /both sides/,
      "a OR AND b": /both sides/,
      "(a OR) b": /both sides/,
    });
  });
});

describe("a mistake is an error with a suggestion", () => {
  test("operators", () => {
    fails({
      "form:alice": /unknown operator "form:", did you mean "from"\?/,
      "Subjct:x": /did you mean "subject"/,
      "cc:bob": /did you mean "to:"/,
      "newer_than:2d": /did you mean "newer:"/,
      "mailto:bob": /write it in quotes/,
      "a -foo:b": /unknown operator "foo:"/,
      "from: alice": /from: needs a value right after the colon/,
      'id:""': /needs a value/,
      "has:star": /has: takes "attachment", not "star"/,
      "in:trash": /folder:trash/,
      "subject:(from:a)": /write it outside/,
    });
  });

  test("days, ages, sizes", () => {
    fails({
      "after:30.11.2026": /a day such as 2026-11-30/,
      "before:2026-02-30": /not "2026-02-30"/,
      "after:7d": /newer:7d/,
      "older:2m": /for 2 months, write 60d/,
      "newer:3months": /90d/,
      "newer:10": /an age such as/,
      "larger:5X": /a size such as/,
    });
  });

  test("terms without a word, and queries without a term", () => {
    fails({
      "": /nothing to search for/,
      "  ": /nothing to search for/,
      "()": /nothing to search for/,
      "!!!": /"!!!" holds no letter or digit/,
      "a -": /"-" holds no letter/,
      '""': /holds no letter/,
      "from:!": /holds no letter/,
      "alpha 👍": /holds no letter/,
    });
  });

  test("quotes and parentheses", () => {
    fails({
      '"a': /not closed/,
      'subject:"a b': /not closed/,
      "(a": /"\(" without "\)"/,
      "a)": /"\)" without "\("/,
    });
  });

  test("the query is bounded, and so is what is said of it", () => {
    assert.ok(problemOf(`in:${"x".repeat(3000)}`).length < 400);
    fails({
      ["a".repeat(5000)]: /longer than 4000/,
      ["a ".repeat(101)]: /more than 100 terms/,
      [`${"(".repeat(21)}a${")".repeat(21)}`]: /more than 20 levels/,
      ["-(".repeat(1900)]: /more than 20 levels/,
    });
  });
});

test("any text is either understood, with a criterion, or a problem in one line", () => {
  const random = seeded(7);
  const signs = Array.from("\"()-*: \t\n“”–<>@.\0\u202E\ud800☃'");
  const texts = "a b1 OR AND NOT from: subject: older: id: has: 日本 語 é 2026-11-30 30d 5M".split(
    " ",
  );
  const pieces = [...signs, ...texts];
  let understood = 0;
  for (let round = 0; round < 20_000; round++) {
    const query = Array.from(
      { length: random.below(9) },
      () => pieces[random.below(pieces.length)],
    ).join(random.oneIn(2) ? " " : "");
    const parsed = parseQuery(query, MOMENT);
    if ("problem" in parsed) {
      assert.ok(parsed.problem.length > 5);
      continue;
    }
    understood++;
    assert.doesNotMatch(JSON.stringify(parsed.condition), /"of":\[\]|"tokens":\[\]|null/);
  }
  assert.ok(understood > 2000);
});
