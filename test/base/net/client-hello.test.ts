import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ClientHello } from "../../../src/base/net/client-hello.ts";

/** A handshake message of a type, in records of so many octets each. */
function records(type: number, length: number, recordLength: number): Buffer {
  const header = Buffer.from([type, length >> 16, (length >> 8) & 255, length & 255]);
  const message = Buffer.concat([header, Buffer.alloc(length, 7)]);
  const cut: Buffer[] = [];
  for (let from = 0; from < message.length; from += recordLength) {
    const content = message.subarray(from, from + recordLength);
    cut.push(Buffer.from([22, 3, 1, content.length >> 8, content.length & 255]), content);
  }
  return Buffer.concat(cut);
}

/** Behind which octet is it whole, when it comes in pieces of so many? */
function wholeAt(bytes: Buffer, pieceLength: number): number | undefined {
  const hello = new ClientHello();
  for (let from = 0; from < bytes.length; from += pieceLength) {
    const to = Math.min(from + pieceLength, bytes.length);
    if (hello.read(bytes.subarray(from, to))) return to;
  }
  return undefined;
}

describe("a ClientHello", () => {
  it("is whole with its last octet, however it is cut into records and pieces", () => {
    for (const recordLength of [1, 2, 3, 4, 5, 100, 400]) {
      const bytes = records(1, 300, recordLength);
      for (const pieceLength of [1, 2, 7, bytes.length]) {
        const cut = `records of ${recordLength}, pieces of ${pieceLength}`;
        assert.equal(wholeAt(bytes, pieceLength), bytes.length, cut);
        assert.equal(wholeAt(bytes.subarray(0, -1), pieceLength), undefined, cut);
      }
    }
  });

  it("may have more behind it in the same piece", () => {
    const bytes = Buffer.concat([records(1, 300, 400), Buffer.alloc(10)]);
    assert.equal(wholeAt(bytes, bytes.length), bytes.length);
  });

  it("that has nothing but its header is whole", () => {
    assert.equal(wholeAt(records(1, 0, 4), 1), 9);
  });

  it("is not waited for where there will be none", () => {
    assert.equal(wholeAt(Buffer.from("EHLO client.example\r\n"), 1), 1, "clear text");
    assert.equal(wholeAt(records(2, 300, 400), 1), 6, "another message");
    assert.equal(wholeAt(Buffer.from([22, 3, 1, 0, 0, 22]), 1), 5, "an empty record");
    const endless = records(1, 100_000, 16_000);
    assert.ok((wholeAt(endless, 1000) ?? Infinity) < 20_000, "one that is too long");
  });
});
