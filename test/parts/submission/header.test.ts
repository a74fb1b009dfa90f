import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { submittedHeader } from "../../../src/parts/submission/header.ts";
import { mailboxesOf } from "../../../src/parts/submission/mailboxes.ts";

const MEANS = { hostname: "mx.example.com", now: Date.UTC(2026, 0, 1) };
const DATE = "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n";
const FROM = "From: alice@example.com\r\n";
const ID = "Message-ID: <x@y>\r\n";

const read = (text: string) => submittedHeader(Buffer.from(text, "latin1"), MEANS);

function changed(text: string): string {
  const header = read(text);
  assert.ok("octets" in header, JSON.stringify(header));
  return header.octets.toString("latin1");
}

describe("the header section of a user", () => {
  test("keeps its octets, whatever they are", () => {
    const odd = `${FROM}X-Long: ${"x".repeat(5000)}\r\nSubject:\tfolded\r\n\t=?utf-8?q?x?=\r\n  more\r\nX: \xff\xfe\xe4 \r\nX:\r\n`;
    assert.equal(changed(odd + DATE + ID), odd + DATE + ID);
  });
  test("gets Date and Message-ID at its end, each only if it is missing", () => {
    assert.equal(changed(FROM + ID), FROM + ID + DATE);
    const made = changed(`date: then\r\n${FROM}`);
    assert.match(
      made,
      /^date: then\r\nFrom: alice@example.com\r\nMessage-ID: <[^<>\s]+@mx\.example\.com>\r\n$/,
    );
    assert.notEqual(made, changed(`date: then\r\n${FROM}`));
  });
  test("loses Bcc, folded, in any case, several times, and nothing else", () => {
    const bcc = `BCC: a@x.y,\r\n ${"b@x.y, ".repeat(9000)}\r\n\tc@x.y\r\n`;
    assert.equal(
      changed(`${bcc}${FROM}bcc:x@y.z\r\n${DATE}X-Bcc: stays\r\nResent-Bcc: x\r\n${ID}`),
      `${FROM}${DATE}X-Bcc: stays\r\n${ID}`,
    );
  });
  for (const text of [
    "",
    "Subject: no author\r\n",
    "no field\r\n",
    ` ${FROM}`,
    `From alice Thu Jan  1\r\n${FROM}`,
    `${FROM}: x\r\n`,
    `${FROM}Fr\0om: ceo@example.com\r\n`,
    `${FROM}text of the body\r\nFrom: ceo@example.com\r\n`,
    "From:\r\n",
    "From: undisclosed:;\r\n",
    "From: alice@example.com>\r\n",
    "From: <alice@example.com> <ceo@example.com>\r\n",
    'From: "alice@example.com\r\n',
    "From: x: alice@example.com;\r\n",
    "From: alice\r\n",
  ]) {
    test(`is refused: ${JSON.stringify(text)}`, () => assert.ok("code" in read(text)));
  }
  test("names all authors: of each From and Sender, also resent, also in a phrase", () => {
    const header = read(
      `From: Alice <alice@example.com>, b@x.y (c@x.y)\r\nFrom : d@x.y\r\nSender: e@x.y <f@x.y>\r\nResent-From: g@x.y\r\n`,
    );
    assert.ok("authors" in header);
    const found = header.authors.map(({ address }) => address);
    assert.deepEqual(found, ["alice@example.com", "b@x.y", "d@x.y", "f@x.y", "e@x.y", "g@x.y"]);
  });
});

describe("mailboxes of a field", () => {
  for (const [value, expected] of [
    ["alice@example.com", ["alice@example.com"]],
    [" Alice  <alice@example.com> ", ["alice@example.com"]],
    ['"ceo@x.y, <z@x.y>" <alice@example.com>', ["alice@example.com"]],
    ["alice@example.com (ceo@x.y, \\) (nested))", ["alice@example.com"]],
    ['"a b"@example.com', ['"a b"@example.com']],
    ["=?utf-8?q?ceo=40x.y?= <alice@example.com>", ["alice@example.com"]],
    [",a@x.y,,b@x.y,", ["a@x.y", "b@x.y"]],
    ["< alice@example.com >", ["alice@example.com"]],
    ["a@x.y b@x.y", undefined],
    ["<a@x.y>,", ["a@x.y"]],
    ["<a@x.y> b@x.y", undefined],
    ["<@relay.x:a@x.y>", undefined],
    ["<a@x.y, b@x.y>", undefined],
    ["(a@x.y", undefined],
    ["", undefined],
    [`${"x".repeat(9000)} <a@x.y>`, undefined],
  ] as const) {
    test(JSON.stringify(value).slice(0, 60), () => {
      assert.deepEqual(
        mailboxesOf(value)?.map(({ address }) => address),
        expected,
      );
    });
  }
});
