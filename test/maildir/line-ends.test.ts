import assert from "node:assert/strict";
import { test } from "node:test";
import { LfStream, writeWithLf } from "../../src/maildir/line-ends.ts";

const CASES: readonly (readonly [string, string])[] = [
  ["", ""],
  ["one\r\ntwo\r\n", "one\ntwo\n"],
  ["\r\n\r\n\r\n", "\n\n\n"],
  ["no end", "no end"],
  ["lone \r stays\r\n", "lone \r stays\n"],
  ["lone \n stays\r\n", "lone \n stays\n"],
  ["\r\r\n", "\r\n"],
  ["\r", "\r"],
  ["\n\r", "\n\r"],
  ["a\r\r\r\nb\r", "a\r\r\nb\r"],
  ["\0\u00ff\r\n", "\0\u00ff\n"],
];

for (const [crlf, lf] of CASES) {
  test(`${JSON.stringify(crlf)} becomes ${JSON.stringify(lf)}, whole and in pieces`, () => {
    const input = Buffer.from(crlf, "latin1");
    const output = Buffer.alloc(input.length + 2);
    const end = writeWithLf(input, output, 2);
    assert.equal(output.subarray(2, end).toString("latin1"), lf);

    for (let size = 1; size <= input.length; size++) {
      const stream = new LfStream();
      const pieces: Buffer[] = [];
      for (let at = 0; at < input.length; at += size) {
        pieces.push(Buffer.from(stream.convert(input.subarray(at, at + size))));
        pieces.push(stream.convert(Buffer.alloc(0)));
      }
      pieces.push(stream.end());
      assert.equal(Buffer.concat(pieces).toString("latin1"), lf, `pieces of ${size}`);
    }
  });
}

test("the pieces of a stream share one memory, which grows to the largest", () => {
  const stream = new LfStream();
  const first = stream.convert(Buffer.alloc(9000, "a")).buffer;
  assert.equal(stream.convert(Buffer.alloc(9000, "b")).buffer, first);
  assert.equal(stream.convert(Buffer.alloc(20, "c")).buffer, first);
  assert.equal(stream.convert(Buffer.alloc(20_000, "d")).toString(), "d".repeat(20_000));
});
