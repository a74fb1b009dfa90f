// IMAP's search keys: what they ask, and what is refused.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Condition } from "../../../../src/parts/archive/search/condition.ts";
import { parseImapSearch } from "../../../../src/parts/archive/search/imap.ts";
import { seeded } from "../../../support/random.ts";

const MOMENT = { now: Date.UTC(2026, 11, 1, 12), zone: "Europe/Berlin" };

/** The only key of a search. */
function keyOf(query: string): Condition {
  const parsed = parseImapSearch(query, MOMENT);
  assert.ok("condition" in parsed, `${query}: ${"problem" in parsed ? parsed.problem : ""}`);
  assert.equal(parsed.condition.kind, "all");
  assert.equal(parsed.condition.of.length, 1, query);
  const [key] = parsed.condition.of;
  assert.ok(key);
  return key;
}

function fails(queries: Readonly<Record<string, RegExp>>) {
  for (const [query, expected] of Object.entries(queries)) {
    const parsed = parseImapSearch(query, MOMENT);
    assert.ok("problem" in parsed, `${query} is understood as ${JSON.stringify(parsed)}`);
    assert.match(parsed.problem, expected, query);
  }
}

const words = (field: string | undefined, text: string, isPrefix = true) => ({
  kind: "words",
  words: { tokens: text.split(" "), isPrefix },
  ...(field !== undefined && { field }),
});

describe("strings", () => {
  test("atoms, quoted strings and literals match from the beginning of a word", () => {
    for (const query of [
      "FROM alice@example.org",
      'from "alice@example.org"',
      "From {17}\r\nalice@example.org",
      "FROM {17+}\nalice@example.org",
      "CHARSET UTF-8 FROM alice@example.org",
      "ALL FROM alice@example.org",
    ]) {
      assert.deepEqual(keyOf(query), words("from", "alice example org"), query);
    }
    assert.deepEqual(keyOf('SUBJECT "say \\"hi\\" "'), words("subject", "say hi", false));
    assert.deepEqual(keyOf("SUBJECT {5}\r\ncafé"), words("subject", "cafe"));
    assert.deepEqual(keyOf("TEXT voic"), words(undefined, "voic"));
    assert.deepEqual(keyOf("CC bob"), words("to", "bob"));
    assert.deepEqual(keyOf("BODY x"), {
      kind: "any",
      of: [words("body", "x"), words("attachment", "x")],
    });
  });

  test("HEADER", () => {
    assert.deepEqual(keyOf('HEADER Subject "a b"'), words("subject", "a b"));
    assert.deepEqual(keyOf("HEADER MESSAGE-ID <x@y>"), { kind: "messageId", id: "x@y" });
    fails({ "HEADER X-Spam yes": /holds From, To, Cc, Subject and Message-ID/ });
  });
});

test("SINCE goes by the delivery, SENTSINCE by the Date field, in the reader's days", () => {
  const midnight = Date.UTC(2026, 10, 29, 23);
  assert.deepEqual(keyOf("SINCE 30-Nov-2026"), { kind: "delivered", range: { from: midnight } });
  assert.deepEqual(keyOf('BEFORE "30-nov-2026"'), {
    kind: "delivered",
    range: { before: midnight },
  });
  assert.deepEqual(keyOf("SENTSINCE 30-Nov-2026"), { kind: "sent", range: { from: midnight } });
  assert.deepEqual(keyOf("SENTON 30-Nov-2026"), {
    kind: "sent",
    range: { from: midnight, before: midnight + 86_400_000 },
  });
  assert.deepEqual(keyOf("YOUNGER 60"), {
    kind: "delivered",
    range: { from: MOMENT.now - 60_000 },
  });
  fails({ "SINCE 2026-11-30": /30-Nov-2026/, "ON 31-Feb-2026": /31-Feb/, "ON 1-Foo-2026": /Foo/ });
});

test("sizes, OR, NOT and parentheses", () => {
  assert.deepEqual(keyOf("LARGER 100"), { kind: "size", range: { from: 101 } });
  assert.deepEqual(keyOf("SMALLER 100"), { kind: "size", range: { before: 100 } });
  assert.deepEqual(keyOf("NOT OR FROM a (TO b SUBJECT c)"), {
    kind: "not",
    of: {
      kind: "any",
      of: [words("from", "a"), { kind: "all", of: [words("to", "b"), words("subject", "c")] }],
    },
  });
  fails({
    "LARGER 5M": /digits only/,
    "OR FROM a": /missing at the end/,
    "NOT )": /missing before/,
  });
});

test("keys for what the archive does not hold are refused", () => {
  fails({
    UNSEEN: /keeps no flags/,
    "KEYWORD work": /keeps no flags/,
    "UID 5": /no numbers of IMAP/,
    "1:*": /no numbers of IMAP/,
    "FORM alice": /unknown key "FORM", did you mean "FROM"\?/,
    ALL: /no criterion/,
    "": /nothing to search for/,
    "(ALL": /"\(" without/,
    "FROM a )": /"\)" without/,
    "()": /holds no key/,
    SUBJECT: /needs a string/,
    'SUBJECT ""': /no letter or digit/,
    'SUBJECT "a': /not closed/,
    "SUBJECT {9}\r\nabc": /shorter than it says/,
    "CHARSET KOI8-R FROM a": /UTF-8/,
    ["NOT ".repeat(50)]: /levels deep/,
    ["FROM a ".repeat(101)]: /more than 100 terms/,
  });
});

test("any text is understood or a problem", () => {
  const random = seeded(3);
  const pieces =
    'FROM TEXT OR NOT ( ) "a b" {1} {3}\n x ALL HEADER Subject SINCE 1-Jan-2026 LARGER 5 " \\ CHARSET utf-8'.split(
      " ",
    );
  let understood = 0;
  for (let round = 0; round < 20_000; round++) {
    const query = Array.from(
      { length: 1 + random.below(4) },
      () => pieces[random.below(pieces.length)],
    ).join(" ");
    const parsed = parseImapSearch(query, MOMENT);
    if ("condition" in parsed) understood++;
    else assert.ok(parsed.problem.length > 5);
  }
  assert.ok(understood > 100);
});
