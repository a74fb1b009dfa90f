import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryEngine } from "../../../src/spool/memory/memory.ts";
import { manualClock } from "../../support/clock.ts";
import { recordingLog } from "../../support/services.ts";
import { describeSpool } from "./conformance.ts";
import { enter, idsOf } from "./place.ts";

describeSpool("memory", async () => ({
  engine: memoryEngine(),
  directory: "/var/spool/unseen",
  [Symbol.asyncDispose]: async () => undefined,
}));

test("a message of one spool in memory is put into another as it stands", async () => {
  const clock = manualClock();
  const [from, to] = [memoryEngine(), memoryEngine()];
  const spool = await from.open("a", { clock, log: recordingLog() });
  await enter({ spool, clock }, { content: "x" });
  await spool.take(clock.now(), 1);
  for (const message of from.messages("a")) to.put("b", { ...message, state: "queued" });
  const other = await to.open("b", { clock, log: recordingLog() });
  const taken = await other.take(clock.now(), 10);
  assert.deepEqual(idsOf(taken), idsOf(from.messages("a")));
  assert.deepEqual(taken, from.messages("a"));
  assert.equal(to.messages("b")[0]?.state, "active");
});
