// Bytes that come in pieces, and what is allocated for them.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { GrowingBuffer } from "../../src/base/growing-buffer.ts";

describe("a growing buffer", () => {
  const table: readonly (readonly [pieces: readonly number[], max: number, capacity: number])[] = [
    [[], 10_000, 0],
    [[0], 10_000, 0],
    [[1], 10_000, 4096],
    [[4096], 10_000, 8192],
    [[1, 4095], 10_000, 4096],
    [[4096, 1], 10_000, 8192],
    [[4096, 4097], 10_000, 10_000],
    [[9000], 10_000, 10_000],
    [[9000, 1000], 10_000, 10_000],
    [[9000, 1001], 10_000, 10_001],
    [[20_000], 10_000, 20_000],
    [[20_000, 5], 10_000, 20_005],
    [[3], 2, 3],
  ];
  for (const [pieces, max, capacity] of table) {
    it(`has ${capacity} octets for pieces of ${pieces.join(", ") || "nothing"}, up to ${max}`, () => {
      const buffer = new GrowingBuffer(max);
      const sent = pieces.map((size, index) => Buffer.alloc(size, index + 1));
      for (const piece of sent) buffer.append(piece);
      assert.equal(buffer.capacity, capacity);
      assert.equal(
        buffer.length,
        pieces.reduce((sum, size) => sum + size, 0),
      );
      assert.deepEqual(buffer.take(), Buffer.concat(sent));
    });
  }

  it("is allocated anew no oftener than it doubles, however small the pieces", () => {
    const buffer = new GrowingBuffer(1 << 16);
    const capacities = new Set<number>();
    for (let i = 0; i < 1 << 16; i++) {
      buffer.append(Buffer.of(i & 255));
      capacities.add(buffer.capacity);
    }
    assert.deepEqual([...capacities], [4096, 8194, 16_390, 32_782, 1 << 16]);
    assert.ok(buffer.take().every((octet, at) => octet === (at & 255)));
  });

  it("is empty when all was taken, and keeps no piece that its owner writes over", () => {
    const buffer = new GrowingBuffer(100);
    const piece = Buffer.from("first");
    buffer.append(piece);
    piece.fill("x");
    const first = buffer.take();
    assert.deepEqual([buffer.length, buffer.capacity, buffer.take().length], [0, 0, 0]);
    buffer.append(Buffer.from("other"));
    assert.deepEqual([first.toString(), buffer.take().toString()], ["first", "other"]);
  });
});
