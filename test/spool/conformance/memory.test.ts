import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryEngine, memorySpool } from "../../../src/spool/memory/memory.ts";
import { manualClock } from "../../support/clock.ts";
import { recordingLog } from "../../support/services.ts";
import { describeSpool } from "./conformance.ts";
import { enter } from "./place.ts";

describeSpool("memory", async () => ({
  engine: memoryEngine(),
  directory: "/var/spool/unseen",
  [Symbol.asyncDispose]: async () => undefined,
}));

test("a message of one spool in memory is put into another as it stands", async () => {
  const clock = manualClock();
  const engine = memoryEngine();
  const spool = await engine.open("a", { clock, log: recordingLog() });
  await enter({ spool, clock }, { content: "x" });
  await spool.take(clock.now(), 1);
  const other = memorySpool(clock);
  for (const message of spool.messages) other.put({ ...message, state: "queued" });
  assert.deepEqual(
    other.messages.map(({ state }) => state),
    ["queued"],
  );
  assert.deepEqual(await other.take(clock.now(), 10), spool.messages);
  assert.deepEqual(await other.take(clock.now(), 10), []);
});
