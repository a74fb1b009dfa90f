// What stays known of a header section whose fields have been looked at.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseHeaderFields } from "../../../src/mail/header-fields.ts";
import {
  ADDED_LATER,
  headerShape,
  ONLY_ONCE,
} from "../../../src/receive/authentication/header-shape.ts";

function shapeOf(section: string) {
  const fields = parseHeaderFields(Buffer.from(section, "latin1"));
  assert.ok(fields);
  const { wellFormed, counts } = headerShape(fields);
  return { wellFormed, counts: Object.fromEntries([...counts].filter(([, count]) => count > 0)) };
}

describe("headerShape", () => {
  const table: readonly (readonly [
    section: string,
    wellFormed: boolean,
    counts: Readonly<Record<string, number>>,
  ])[] = [
    ["", true, {}],
    ["From: a\r\n", true, { from: 1 }],
    ["FROM: a\r\nfrom : b\r\n", true, { from: 2 }],
    ["Subject: a\r\n From: b\r\n", true, { subject: 1 }],
    ["DKIM-Signature: a\r\nDKIM-Signature: b\r\n", true, { "dkim-signature": 2 }],
    ["Received: a\r\nX-Anything: b\r\n", true, {}],
    ["From: a\r\nno field\r\n", false, { from: 1 }],
    ["From\r\n : a\r\n", false, { from: 1 }],
    ["Fr\xf6m: a\r\n", false, {}],
    ["List-Id: a\r\nResent-From: b\r\n", true, { "list-id": 1, "resent-from": 1 }],
    ["constructor: a\r\n__proto__: b\r\n", true, {}],
  ];
  for (const [section, wellFormed, counts] of table) {
    it(`of ${JSON.stringify(section)}`, () => {
      assert.deepEqual(shapeOf(section), { wellFormed, counts });
    });
  }

  it("counts every name that is held to anything, also where there is none", () => {
    const { counts } = headerShape([]);
    const names = [...ONLY_ONCE, ...ADDED_LATER, "dkim-signature"];
    assert.deepEqual(
      [...counts],
      names.map((name) => [name, 0]),
    );
  });
});

describe("the names", () => {
  it("that a reader sees once are those of RFC 5322 3.6 and of MIME", () => {
    const seen = "date from sender reply-to to cc message-id subject mime-version content-type";
    for (const name of seen.split(" ")) assert.ok(ONLY_ONCE.includes(name), name);
  });

  it("stand once, in lower case", () => {
    const names = [...ONLY_ONCE, ...ADDED_LATER];
    assert.deepEqual(names, [...new Set(names.map((name) => name.toLowerCase()))]);
  });
});
