// Whose mail a message says it is.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseHeaderFields } from "../../../src/mail/header-fields.ts";
import { authorOf } from "../../../src/receive/authentication/author.ts";

/** The domains in a header section of these From fields. */
function authorIn(...values: readonly string[]) {
  const section = values.map((value) => `From: ${value}\r\n`).join("");
  const fields = parseHeaderFields(Buffer.from(`To: x@else.test\r\n${section}`, "latin1"));
  assert.ok(fields);
  return authorOf(fields);
}

const utf8 = (text: string) => Buffer.from(text).toString("latin1");

describe("an author that every reader sees alike", () => {
  const table: readonly (readonly [from: string, domains: readonly string[]])[] = [
    ["a@example.com", ["example.com"]],
    ["<a@example.com>", ["example.com"]],
    ["< a@example.com >", ["example.com"]],
    ["Alice <a@EXAMPLE.com>", ["example.com"]],
    ['"Alice, of it" <a@example.com>', ["example.com"]],
    ['"<ceo@bank.test>" <a@example.com>', ["example.com"]],
    ['"\\"" <a@example.com>', ["example.com"]],
    ["Alice (at bank.test, too) <a@example.com>", ["example.com"]],
    ["a@example.com (ceo@bank.test)", ["example.com"]],
    ["a@example.com (a (b) \\) c)", ["example.com"]],
    ["Alice\r\n <a@example.com>", ["example.com"]],
    ["a@example.com, b@example.org", ["example.com", "example.org"]],
    ["a@example.com, b@example.com", ["example.com"]],
    [utf8("a@b\u00fccher.example"), ["xn--bcher-kva.example"]],
    [utf8("M\u00fcller <a@example.com>"), ["example.com"]],
    ["a@[192.0.2.1]", ["[192.0.2.1]"]],
  ];
  for (const [from, domains] of table) {
    it(`is of ${domains.join(" and ")} in ${JSON.stringify(from)}`, () => {
      assert.deepEqual(authorIn(from), { domains, exact: true });
    });
  }
});

describe("an author that readers may see differently", () => {
  const table: readonly (readonly [froms: readonly string[], domains: readonly string[]])[] = [
    [[], []],
    [[""], []],
    [["Alice"], []],
    [
      ["a@example.com", "b@bank.test"],
      ["example.com", "bank.test"],
    ],
    [["a@example.com", "a@example.com"], ["example.com"]],
    [["<a@example.com> <b@bank.test>"], ["example.com", "bank.test"]],
    [["<a@example.com> b@bank.test"], ["example.com"]],
    [["a@example.com b@bank.test"], ["example.com", "bank.test"]],
    [["ceo@bank.test <a@example.com>"], ["example.com"]],
    [["us: a@example.com;"], ["example.com"]],
    [["us:a@example.com"], ["example.com"]],
    [["us:<a@example.com>"], ["example.com"]],
    [["a@example.com; b@bank.test"], ["example.com", "bank.test"]],
    [["<@bank.test:a@example.com>"], ["example.com"]],
    [['"Alice <a@example.com>'], ["example.com"]],
    [["Alice (<a@example.com>"], ["example.com"]],
    [["a@example.com,"], ["example.com"]],
    [["a@ example.com"], ["example.com"]],
    [["a@example.com."], ["example.com"]],
    [["a@exam\u00ffple.com"], []],
    [["a@bank.test\0, b@example.com"], ["example.com"]],
    [[utf8("a@example\u3002com")], []],
  ];
  for (const [froms, domains] of table) {
    it(`may be of ${domains.join(" or ") || "nobody"} in ${JSON.stringify(froms)}`, () => {
      assert.deepEqual(authorIn(...froms), { domains, exact: false });
    });
  }
});

describe("the length of From", () => {
  const address = "<a@example.com>";
  const table: readonly (readonly [lengths: readonly number[], isKnown: boolean])[] = [
    [[4096], true],
    [[4097], false],
    [[2048, 2048], true],
    [[2048, 2049], false],
  ];
  for (const [lengths, isKnown] of table) {
    it(`of ${lengths.join(" and ")} octets is ${isKnown ? "looked at" : "more than any honest one"}`, () => {
      const froms = lengths.map((length) => `${"x".repeat(length - address.length)}${address}`);
      const author = authorIn(...froms);
      assert.deepEqual(author?.domains, isKnown ? ["example.com"] : undefined);
    });
  }
});
