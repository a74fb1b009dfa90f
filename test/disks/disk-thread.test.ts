// The memory of the threads that write copies.

import assert from "node:assert/strict";
import { constants } from "node:fs";
import { devNull } from "node:os";
import { test } from "node:test";
import type { BatchReply, DiskRequest } from "../../src/disks/disk-request.ts";
import { inThreads } from "../../src/disks/executors.ts";

const MB = 1024 * 1024;
const PIECE = 64 * 1024;

test("a thread gives back what it has written", async () => {
  const answers: ((reply: BatchReply) => void)[] = [];
  const thread = inThreads.start(
    (reply) => answers.shift()?.(reply),
    (error) => assert.fail(String(error)),
  );
  const ask = async (request: DiskRequest) => {
    const { promise, resolve } = Promise.withResolvers<BatchReply>();
    answers.push(resolve);
    thread.post([request]);
    const reply = await promise;
    const [first] = "all" in reply ? reply.all : [];
    if (first === undefined || !("value" in first)) throw new Error("the call has failed");
    return Number(first.value);
  };
  const fd = await ask({ op: "open", path: devNull, flags: constants.O_WRONLY });
  const before = process.memoryUsage.rss();
  let peak = 0;
  for (let octets = 0; octets < 200 * MB; octets += PIECE) {
    const bytes = new Uint8Array(PIECE).fill(1);
    assert.equal(await ask({ op: "write", fd, bytes }), PIECE);
    peak = Math.max(peak, process.memoryUsage.rss() - before);
  }
  thread.close();
  assert.ok(peak <= 10 * MB, `${peak / MB} MB`);
});
