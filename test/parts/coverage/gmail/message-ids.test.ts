import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  addressesIn,
  messageIdsIn,
  signatureOf,
} from "../../../../src/parts/coverage/gmail/message-ids.ts";

describe("the Message-IDs of a message", () => {
  const table: readonly (readonly [values: readonly string[], ids: readonly string[]])[] = [
    [[], []],
    [[""], []],
    [["<>"], []],
    [[" \t "], []],
    [["<1@x.example>"], ["1@x.example"]],
    [["  <1@x.example>\t"], ["1@x.example"]],
    [["1@x.example"], ["1@x.example"]],
    [["< 1@x.example >"], ["1@x.example"]],
    [["\r\n <1@x.example>"], ["1@x.example"]],
    [["<1@\r\n\tx.example>"], ["1@x.example"]],
    [["<Ab@X.example>"], ["Ab@X.example"]],
    [["<1@x.example> (added by relay@x.example)"], ["1@x.example"]],
    [["(not <0@x.example>) <1@x.example>"], ["1@x.example"]],
    [["(a (b\\) <0@x>) c) <1@x.example>"], ["1@x.example"]],
    [["(no end <1@x.example>"], ["1@x.example"]],
    [["<1(2)@x.example>"], ["1(2)@x.example"]],
    [["<1@x.example> <2@x.example>"], ["1@x.example", "2@x.example"]],
    [
      ["<1@x.example>", "<2@x.example>"],
      ["1@x.example", "2@x.example"],
    ],
    [["<1@x.example>", "<1@x.example>"], ["1@x.example"]],
    [["<1@x.example"], ["1@x.example"]],
    [['<"1 2"@x.example>'], ['"12"@x.example']],
    // The same octets, as the archive and as the Gmail API has them.
    [["<\u00c3\u00b8@x.example>"], ["\uFFFD@x.example"]],
    [["<\u00f8@x.example>"], ["\uFFFD@x.example"]],
    // What Google has written itself.
    [["<5f1.1c69fb81.a2b3.SMTPIN_ADDED_MISSING@mx.google.com>"], []],
    [["<5f1.1c69fb81.a2b3.SMTPIN_ADDED_BROKEN@mx.google.com>"], []],
    [
      ["<SMTPIN_ADDED_MISSING@mx.google.com.x.example>"],
      ["SMTPIN_ADDED_MISSING@mx.google.com.x.example"],
    ],
  ];
  for (const [values, ids] of table) {
    test(`${JSON.stringify(values)} are ${JSON.stringify(ids)}`, () => {
      assert.deepEqual(messageIdsIn(values), ids);
    });
  }

  test("are bounded, whatever the field is", () => {
    const many = Array.from({ length: 5000 }, (_, at) => `<${at}@x>`).join("");
    assert.equal(messageIdsIn([many]).length, 8);
    assert.ok((messageIdsIn([`<${"x".repeat(100_000)}>`])[0]?.length ?? 0) <= 1000);
    for (const hostile of ["(", "<", "(<", "(\\", "\\("]) messageIdsIn([hostile.repeat(500_000)]);
  });
});

describe("date and author", () => {
  const from = "Carol <Carol@Example.net>";
  const same = signatureOf("Mon, 30 Nov 2026 09:05:00 +0100", from);
  for (const [date, author] of [
    ["Mon, 30 Nov 2026 08:05:00 +0000", "carol@example.net"],
    ["30 Nov 2026 09:05:00 +0100 (CET)", '"Carol" <carol@example.net>'],
    ["Mon,  30 Nov 2026\r\n 09:05:00 +0100", "<carol@example.net>"],
  ] as const) {
    test(`are the same as ${JSON.stringify(date)} by ${author}`, () => {
      assert.equal(signatureOf(date, author), same);
    });
  }

  test("differ with the second and with the author", () => {
    assert.notEqual(signatureOf("Mon, 30 Nov 2026 09:05:01 +0100", from), same);
    assert.notEqual(signatureOf("Mon, 30 Nov 2026 09:05:00 +0100", "dan@example.net"), same);
  });

  test("are none if one is missing, and the written text if the date is none", () => {
    assert.equal(signatureOf(undefined, from), undefined);
    assert.equal(signatureOf("Mon, 30 Nov 2026 09:05:00 +0100", undefined), undefined);
    assert.equal(signatureOf("yesterday", from), signatureOf(" yesterday ", from));
    assert.notEqual(signatureOf("yesterday", from), signatureOf("today", from));
  });

  test("addresses are found in lists and groups", () => {
    assert.deepEqual(addressesIn('A <A@x.example>, "b, c" <b@y.example>; team: d@z.example;'), [
      "a@x.example",
      "b@y.example",
      "d@z.example",
    ]);
    assert.ok(addressesIn("a@b.example,".repeat(100_000)).length <= 1000);
  });
});
