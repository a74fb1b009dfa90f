import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { receivedPart } from "../../src/settle/received-part.ts";

const OURS = "Received: from a ([192.0.2.1])\r\n\tby mx.example.com\r\n\tid 1; now\r\n";
const THEIRS = "Received: from b\r\n\tby a; then\r\nFrom: x@y.test\r\n\r\nReceived: body\r\n";

async function part(text: string, pieceLength: number, head?: string): Promise<string> {
  const bytes = Buffer.from(text);
  const body = {
    async *chunks() {
      for (let at = 0; at < bytes.length; at += pieceLength) {
        yield bytes.subarray(at, at + pieceLength);
      }
    },
  };
  return Buffer.concat(await Array.fromAsync(receivedPart(body, head))).toString();
}

describe("the message as it was received", () => {
  for (const length of [1, 7, 1000]) {
    test(`is what stands behind our field, in pieces of ${length}`, async () => {
      assert.equal(await part(OURS + THEIRS, length), THEIRS);
      const head = "Authentication-Results: mx.example.com;\r\n\tspf=pass\r\n";
      assert.equal(await part(head + OURS + THEIRS, length, head), THEIRS);
    });
  }

  test("is nothing where nothing came", async () => {
    assert.equal(await part(OURS, 1000), OURS.slice(OURS.length));
    assert.equal(await part("", 1000), "");
  });

  test("is never held in memory for want of an end of the first line", async () => {
    const text = "x".repeat(100_000);
    assert.equal(await part(text, 1000), text);
  });
});
