import assert from "node:assert/strict";
import { test } from "node:test";
import { ReadBuffers } from "../../../src/base/net/read-buffers.ts";

const MB = 1024 * 1024;
const PIECE = 64 * 1024;

/** The most that buffers occupy while 160 MB are read, above what they did before. */
function most(onRead: (octets: number) => void): number {
  const before = process.memoryUsage().arrayBuffers;
  let peak = 0;
  for (let octets = 0; octets < 160 * MB; octets += PIECE) {
    onRead(Buffer.allocUnsafeSlow(PIECE).length);
    peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
  }
  return peak;
}

test("what was read is given back while more is read", () => {
  const buffers = new ReadBuffers();
  const peak = most((octets) => buffers.count(octets));
  assert.ok(peak <= 24 * MB, `${peak / MB} MB`);
});

test("what is in use stays as it is", () => {
  const buffers = new ReadBuffers();
  const kept = Array.from({ length: 20 * 16 }, (_, i) => Buffer.alloc(PIECE, i));
  for (const { length } of kept) buffers.count(length);
  for (const [i, buffer] of kept.entries()) assert.ok(buffer.equals(Buffer.alloc(PIECE, i)));
});
