import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isListed, parsePolicy, recordId } from "../../src/tls/policy-text.ts";

function lines(...all: readonly string[]): string {
  return all.join("\r\n");
}

describe("the TXT record", () => {
  for (const [texts, expected] of [
    [["v=STSv1; id=20160831085700Z;"], "20160831085700Z"],
    [["v=STSv1;id=a"], "a"],
    [["v=STSv1 ; id=a ; extra=x"], "a"],
    [["v=spf1 -all", "v=STSv1; id=a;", "unrelated"], "a"],
    [["v=STSv1; id=a;", "v=STSv1; id=b;"], undefined],
    [["v=STSv1; id=a; id=b"], undefined],
    [["v=STSv1;"], undefined],
    [["v=STSv1; id="], undefined],
    [["v=STSv1; id=a-b;"], undefined],
    [[`v=STSv1; id=${"a".repeat(33)};`], undefined],
    [["v=STSv2; id=a;"], undefined],
    [["V=stsv1; id=a;"], undefined],
    [[], undefined],
  ] as const) {
    test(`${JSON.stringify(texts)}: ${expected ?? "none"}`, () => {
      assert.equal(recordId(texts), expected);
    });
  }
});

describe("the policy", () => {
  test("is read, with either line end, in any order, with fields that nobody knows", () => {
    const expected = {
      mode: "enforce",
      mx: ["mail.example.com", "*.example.net"],
      maxAge: 604_800,
    };
    const text = lines(
      "version: STSv1",
      "mode: enforce",
      "mx: Mail.example.com",
      "mx:*.example.net  ",
      "max_age: 604800",
      "",
    );
    assert.deepEqual(parsePolicy(text), expected);
    assert.deepEqual(parsePolicy(text.replaceAll("\r\n", "\n")), expected);
    const other = text.split("\r\n").toReversed().join("\n");
    assert.deepEqual(parsePolicy(`x-new: yes\n${other}`), {
      ...expected,
      mx: ["*.example.net", "mail.example.com"],
    });
  });

  test("takes the first of what may stand once, and no more than a year", () => {
    const text = lines(
      "version: STSv1",
      "mode: testing",
      "mode: enforce",
      "mx: a.test",
      "max_age: 9999999999",
    );
    assert.deepEqual(parsePolicy(text), { mode: "testing", mx: ["a.test"], maxAge: 31_557_600 });
  });

  test("needs no mx when there is none any more", () => {
    assert.equal(parsePolicy(lines("version: STSv1", "mode: none", "max_age: 0")).mode, "none");
  });

  const good = ["version: STSv1", "mode: enforce", "mx: a.test", "max_age: 1"];
  for (const [what, text, expected] of [
    ["no version", lines(...good.slice(1)), /version is ""/],
    ["another version", lines("version: STSv2", ...good.slice(1)), /version is "STSv2"/],
    ["another mode", lines(...good.with(1, "mode: Enforce")), /mode is "Enforce"/],
    ["no mx", lines(...good.toSpliced(2, 1)), /mx is missing/],
    ["no max_age", lines(...good.slice(0, 3)), /max_age is ""/],
    ["a max_age that is no number", lines(...good.with(3, "max_age: 1d")), /max_age is "1d"/],
    ["an mx that is no name", lines(...good.with(2, "mx: *")), /mx is "\*"/],
    ["a star in the middle", lines(...good.with(2, "mx: a.*.test")), /mx is/],
    [
      "a line that would keep a careless reader busy for minutes",
      `version: STSv1\nmx: a${" ".repeat(2_000_000)}b`,
      /mode is/,
    ],
    ["a page for people", "<!doctype html>\n<p>hello", /no field/],
    ["nothing", "", /version is ""/],
  ] as const) {
    test(`is none with ${what}`, () => {
      assert.throws(() => parsePolicy(text), expected);
    });
  }
});

describe("a host", () => {
  const policy = { mx: ["mail.example.com", "*.example.net"] };
  for (const [host, expected] of [
    ["mail.example.com", true],
    ["MAIL.example.com", true],
    ["a.example.net", true],
    ["example.net", false],
    ["a.b.example.net", false],
    ["aexample.net", false],
    ["mail.example.com.evil.test", false],
    ["other.example.com", false],
  ] as const) {
    test(`${host} is ${expected ? "" : "not "}in the policy`, () => {
      assert.equal(isListed(host, policy), expected);
    });
  }
});

const withPatterns = (...patterns: readonly string[]) =>
  ["version: STSv1", "mode: enforce", "max_age: 60", ...patterns.map((one) => `mx: ${one}`)].join(
    "\n",
  );

test("a policy has at most a hundred patterns, and each is as long as a name", () => {
  const many = Array.from({ length: 101 }, (_, index) => `mx${index}.example.test`);
  assert.equal(parsePolicy(withPatterns(...many.slice(1))).mx.length, 100);
  assert.throws(() => parsePolicy(withPatterns(...many)), /more than 100 mx/);
  assert.throws(() => parsePolicy(withPatterns(`${"a.".repeat(130)}test`)), /mx is/);
});
