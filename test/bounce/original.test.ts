// The part of a message that a bounce returns to its sender.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { headerValue, readHeader, readOriginal } from "../../src/bounce/original.ts";
import { streamedBody } from "../support/build.ts";

const LIMIT = 64 * 1024;
const bytes = (text: string) => Buffer.from(text, "latin1");
const x = (count: number) => "x".repeat(count);

describe("the header of a body", () => {
  const table: readonly (readonly [what: string, body: string, header: string])[] = [
    ["nothing", "", ""],
    ["a header and a body", "A: b\r\nC: d\r\n\r\nbody\r\n\r\nmore\r\n", "A: b\r\nC: d\r\n"],
    ["a header alone", "A: b\r\n", "A: b\r\n"],
    ["a header that is cut off", "A: b", "A: b"],
    ["a body alone", "\r\nA: b\r\n\r\nbody\r\n", ""],
    ["an empty line of bare LF, which is none", "A: b\n\nbody\r\n", "A: b\n\nbody\r\n"],
    ["octets beyond ASCII", "A: \xff\r\n\r\nbody\r\n", "A: \xff\r\n"],
    ["a NUL", "A: \0b\0\r\n\r\nbody\r\n", "A: ?b?\r\n"],
    ["64 KiB", `A: ${x(LIMIT - 5)}\r\n\r\nbody\r\n`, `A: ${x(LIMIT - 5)}\r\n`],
    ["more in one line", `A: ${x(LIMIT - 4)}\r\n\r\nbody\r\n`, ""],
    ["more, after a whole line", `A: b\r\nC: ${x(LIMIT)}\r\n\r\nbody\r\n`, "A: b\r\n"],
    [
      "lines without an end",
      "A: b\r\n".repeat(LIMIT / 4),
      "A: b\r\n".repeat(Math.floor(LIMIT / 6)),
    ],
  ];
  for (const [what, body, header] of table) {
    it(`of ${what}`, async () => {
      for (const pieceSize of [1021, 100_000]) {
        const read = await readHeader(streamedBody(bytes(body), pieceSize));
        assert.equal(read.toString("latin1"), header);
      }
    });
  }

  it("is read an octet at a time as well", async () => {
    const read = await readHeader(streamedBody(bytes("A: b\r\n\r\nbody\r\n"), 1));
    assert.equal(read.toString(), "A: b\r\n");
  });
});

describe("the message that goes back", () => {
  const whole = "A: b\r\n\r\nbody\r\n";
  const table: readonly (readonly [what: string, body: string, limit: number, isWhole: boolean])[] =
    [
      ["within the limit", whole, 100, true],
      ["of the limit", whole, whole.length, true],
      ["above the limit", whole, whole.length - 1, false],
      ["with a NUL in its body", "A: b\r\n\r\n\0\r\n", 100, false],
      ["with a NUL in its header", "A: \0\r\n\r\nbody\r\n", 100, false],
      ["with octets beyond ASCII", "A: b\r\n\r\n\xff\r\n", 100, true],
      ["without a header", "\r\nbody\r\n", 100, true],
    ];
  for (const [what, body, limit, isWhole] of table) {
    it(`is ${isWhole ? "whole" : "its header"} of one ${what}`, async () => {
      const original = await readOriginal(streamedBody(bytes(body), 3), limit);
      const header = body.slice(0, body.indexOf("\r\n\r\n") + 2).replaceAll("\0", "?");
      assert.equal(original.isWhole, isWhole);
      assert.equal(original.content.toString("latin1"), isWhole ? body : header);
    });
  }
});

describe("headerValue", () => {
  const table: readonly (readonly [content: string, value: string | undefined])[] = [
    ["", undefined],
    ["Subject: a\r\n", "a"],
    ["SUBJECT: a\r\n", "a"],
    ["Subject \t:  a  \r\n", "a"],
    ["Subject:\r\n", ""],
    ["Subject: a\r\nSubject: b\r\n", "a"],
    ["Subject: a\r\n b\r\n\tc\r\nTo: d\r\n", "a b\tc"],
    ["Subject: b\u00fccher\r\n", "b\u00fccher"],
    ["X-Subject: a\r\n", undefined],
    ["Subjects: a\r\n", undefined],
    [" Subject: a\r\n", undefined],
    ["To: a\r\n Subject: b\r\n", undefined],
    ["To: a\r\n\r\nSubject: b\r\n", undefined],
    ["\r\nSubject: b\r\n", undefined],
    ["Subject: a: b\r\n", "a: b"],
  ];
  for (const [content, value] of table) {
    it(`of the subject in ${JSON.stringify(content)} is ${JSON.stringify(value)}`, () => {
      assert.equal(headerValue(Buffer.from(content), "subject"), value);
    });
  }
});
