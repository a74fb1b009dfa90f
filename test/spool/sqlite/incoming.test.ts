// A body on its way into its file: its octets, and the memory that it takes meanwhile.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { type FileCalls, nodeFileCalls } from "../../../src/base/durable/file-calls.ts";
import { DirectorySyncs } from "../../../src/base/durable/directory-syncs.ts";
import { BodyRoom } from "../../../src/spool/sqlite/body-room.ts";
import { IncomingBody } from "../../../src/spool/sqlite/incoming.ts";

const SIZE = 3_000_001;
const BLOCKS_MAX = 6;
const CONTENT = Buffer.from(Array.from({ length: SIZE }, (_, at) => (at * 7919) % 251));

/** Calls that remember the memory of all writes, and those that write only a part. */
function watchedCalls(most: number): { calls: FileCalls; memory: Set<ArrayBufferLike> } {
  const memory = new Set<ArrayBufferLike>();
  const calls: FileCalls = {
    ...nodeFileCalls,
    write(fd, bytes, offset, length) {
      memory.add(bytes.buffer);
      return nodeFileCalls.write(fd, bytes, offset, Math.min(length, most));
    },
  };
  return { calls, memory };
}

function incoming(t: TestContext, calls: FileCalls): { body: IncomingBody; path: string } {
  const spoolDirectory = mkdtempSync(join(tmpdir(), "unseen-incoming-"));
  t.after(() => rmSync(spoolDirectory, { recursive: true }));
  mkdirSync(join(spoolDirectory, "bodies"));
  const body = new IncomingBody("0000000001", {
    spoolDirectory,
    calls,
    syncs: new DirectorySyncs(calls),
    room: new BodyRoom(),
    onDamage: () => assert.fail("it is whole"),
  });
  return { body, path: join(spoolDirectory, "bodies", "0000000001") };
}

/** Writes the content in pieces. The memory of a piece is used again as soon as the body has taken it. */
async function write(body: IncomingBody, length: number): Promise<void> {
  for (let at = 0; at < SIZE; at += length) {
    const piece = Buffer.from(CONTENT.subarray(at, at + length));
    await body.write(piece);
  }
}

describe("a body that goes to a file", () => {
  for (const length of [700, 16_384, 65_536, 65_537, 1_000_000]) {
    for (const most of [SIZE, 1000]) {
      it(`in pieces of ${length} octets, ${most} a write, is whole, and uses few blocks`, async (t) => {
        const { calls, memory } = watchedCalls(most);
        const { body, path } = incoming(t, calls);
        await write(body, length);
        await body.finish();
        assert.ok(readFileSync(path).equals(CONTENT));
        const blocksMax = BLOCKS_MAX + Math.ceil(length / 65_536);
        assert.ok(memory.size <= blocksMax, `${memory.size} blocks`);
        for (const block of memory) assert.equal(block.byteLength, 0, "it was not given back");
      });
    }
  }

  it("gives its blocks back when it is discarded, and when the disk fails", async (t) => {
    const { calls, memory } = watchedCalls(SIZE);
    const discarded = incoming(t, calls);
    await write(discarded.body, 16_384);
    await discarded.body.discard();
    const failing = incoming(t, {
      ...calls,
      write: async (fd, bytes, offset, length) => {
        await calls.write(fd, bytes, offset, length);
        throw new Error("EIO");
      },
    });
    await write(failing.body, 16_384);
    await assert.rejects(failing.body.finish(), /EIO/);
    assert.ok(memory.size > 1);
    for (const block of memory) assert.equal(block.byteLength, 0);
  });

  it("lets the client wait while more than 256 KiB wait for the disk", async (t) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { body } = incoming(t, {
      ...nodeFileCalls,
      async open(...given) {
        await promise;
        return nodeFileCalls.open(...given);
      },
    });
    let taken = 0;
    while (body.write(CONTENT.subarray(0, 16_384)) === undefined) taken += 16_384;
    assert.ok(taken <= 300 * 1024, `${taken}`);
    resolve();
    await body.finish();
  });
});
