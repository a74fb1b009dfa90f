// Replies as values: their two codes agree, and each text has its place.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  isStatus,
  isTemporary,
  LOCAL_ERROR,
  NO_ANSWER,
  saidLine,
  type Status,
  status,
  statusLine,
} from "../../src/mail/status.ts";

describe("status", () => {
  const classes: readonly (readonly [code: number, enhanced: string, isTemporary: boolean])[] = [
    [200, "2.1.5", false],
    [250, "2.1.5", false],
    [299, "2.1.5", false],
    [400, "4.1.5", true],
    [421, "4.1.5", true],
    [499, "4.1.5", true],
    [500, "5.1.5", false],
    [554, "5.1.5", false],
    [599, "5.1.5", false],
  ];
  for (const [code, enhanced, temporary] of classes) {
    it(`${code} is of class ${enhanced[0]} and ${temporary ? "" : "not "}temporary`, () => {
      const made = status(code, "1.5", "text");
      assert.deepEqual(made, { code, enhanced, text: "text" });
      assert.equal(isTemporary(made), temporary);
    });
  }

  for (const code of [0, 100, 199, 300, 354, 399, 600, 2500, -250, Number.NaN]) {
    it(`${code} is no reply to anything that a status speaks of`, () => {
      assert.throws(() => status(code, "1.5", "text"), RangeError);
    });
  }
});

describe("the line of a status", () => {
  const own = status(451, "3.0", "try again later");
  const table: readonly (readonly [what: string, status: Status, sent: string, said: string])[] = [
    ["our own", own, "451 4.3.0 try again later", "451 4.3.0 try again later"],
    [
      "a remote server's",
      { ...own, remote: true },
      "451 4.3.0 try again later",
      "451 4.3.0 try again later",
    ],
    [
      "a remote server's without an enhanced code",
      { ...own, remote: true, bare: true },
      "451 4.3.0 try again later",
      "451 try again later",
    ],
    ["one without a text", { ...own, text: "" }, "451 4.3.0 ", "451 4.3.0 "],
  ];
  for (const [what, value, sent, said] of table) {
    it(`${what} is sent with both codes, and shown as it came`, () => {
      assert.equal(statusLine(value), sent);
      assert.equal(saidLine(value), said);
    });
  }
});

describe("a fault of our own", () => {
  for (const [what, value] of Object.entries({ LOCAL_ERROR, NO_ANSWER })) {
    it(`${what} only ever delays`, () => {
      assert.equal(isTemporary(value), true);
      assert.equal(value.remote, undefined);
    });
  }

  it("says whether the delivery may have been made all the same", () => {
    assert.equal(NO_ANSWER.unsure, true);
    assert.equal(LOCAL_ERROR.unsure, undefined);
  });
});

describe("a value of unknown origin", () => {
  it("is a status if its code is whole and both texts are there", () => {
    const whole = { code: 451, enhanced: "4.3.0", text: "" };
    assert.equal(isStatus({ ...whole, remote: true }), true);
    for (const other of [
      undefined,
      null,
      "451 4.3.0",
      { ...whole, code: "451" },
      { ...whole, code: 451.5 },
      { ...whole, enhanced: undefined },
      { code: 451, enhanced: "4.3.0" },
    ])
      assert.equal(isStatus(other), false, JSON.stringify(other));
  });
});
