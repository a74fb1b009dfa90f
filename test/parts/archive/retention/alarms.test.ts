import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, it } from "node:test";
import type { Clock } from "../../../../src/base/clock.ts";
import type { Log } from "../../../../src/observe/log.ts";
import { RetentionRuns } from "../../../../src/parts/archive/retention/alarms.ts";
import { optionsOf, RetainedArchive } from "./retained-archive.ts";

const MINUTE = 60_000;

/** Runs of retention in an archive, with the events that they log. */
function runsOf(archive: RetainedArchive, table: object) {
  const events: string[] = [];
  const log: Log = {
    event: (name: string, fields: object) => void events.push(`${name} ${JSON.stringify(fields)}`),
  };
  const turn = { isWaiting: false };
  const clock: Clock = {
    ...archive.clock,
    after(delay, callback) {
      // The other timer watches a turn.
      if (delay > MINUTE) return archive.clock.after(delay, callback);
      turn.isWaiting = true;
      return archive.clock.after(delay, () => {
        turn.isWaiting = false;
        callback();
      });
    },
  };
  const runs = new RetentionRuns({
    retention: archive.retention(table),
    options: optionsOf(table),
    directory: archive.directory,
    clock,
    log,
    diskUse: () => Promise.resolve(archive.disk()),
  });
  return {
    runs,
    /** Lets this time pass, and returns the events until then. */
    after: async (milliseconds: number): Promise<string[]> => {
      archive.clock.advance(milliseconds);
      // The turn has ended when it waits for the next minute.
      while (!turn.isWaiting) await nextTurn();
      return events.splice(0);
    },
  };
}

async function archiveOf(files: number): Promise<RetainedArchive> {
  const archive = new RetainedArchive();
  for (let number = 1; number <= files; number++) {
    archive.put("bob@example.com", "INBOX", String(100 + number), 121 - number);
  }
  archive.blocks = 100;
  return archive.filed();
}

describe("runs of retention", () => {
  it("warn near the mark, meet it, and say once when it cannot be met", async () => {
    await using archive = await archiveOf(20);
    archive.otherBlocks = 64;
    const { runs, after } = runsOf(archive, {});
    runs.start();
    assert.deepEqual(await after(0), []);
    archive.otherBlocks = 66;
    assert.deepEqual(await after(MINUTE), ['archive.mark_near {"percent":86}']);
    archive.otherBlocks = 71;
    assert.deepEqual(await after(MINUTE), ['archive.retained {"messages":5,"bytes":95}']);
    assert.equal(archive.files().length, 15);
    archive.otherBlocks = 80;
    const missed = await after(MINUTE);
    assert.match(missed.join(), /^archive.mark_missed \{"percent":95,"why":"what may go/);
    assert.deepEqual(await after(MINUTE), []);
    archive.otherBlocks = 10;
    assert.deepEqual(await after(MINUTE), ['archive.mark_met {"percent":25}']);
    await runs.close();
  });

  it("take mail on the minute when its age ends", async () => {
    await using archive = await archiveOf(1);
    const { runs, after } = runsOf(archive, { keep: "121d" });
    runs.start();
    assert.deepEqual(await after(0), []);
    for (let minute = 1; minute < 1440; minute += 60) assert.deepEqual(await after(MINUTE), []);
    archive.clock.step(86_400_000);
    assert.deepEqual(await after(MINUTE), ['archive.retained {"messages":1,"bytes":19}']);
    await runs.close();
  });

  it("wait for an index that is behind, and say so after a minute if the mark is missed", async () => {
    await using archive = await archiveOf(1);
    archive.isBehind = true;
    archive.otherBlocks = 95;
    const { runs, after } = runsOf(archive, {});
    runs.start();
    assert.deepEqual(await after(0), ['archive.mark_near {"percent":96}']);
    for (let second = 5; second < 60; second += 5) assert.deepEqual(await after(5000), []);
    assert.match((await after(5000)).join(), /^archive.mark_missed .*the index is behind/);
    assert.deepEqual(await after(5000), []);
    archive.isBehind = false;
    assert.match((await after(5000)).join(), /^archive.retained .*"messages":1/);
    await runs.close();
  });

  it("say that a run hangs in a file system, and end when it comes back", async () => {
    await using archive = await archiveOf(1);
    const events: string[] = [];
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
    const runs = new RetentionRuns({
      retention: archive.retention({}),
      options: optionsOf({}),
      directory: archive.directory,
      clock: archive.clock,
      log: { event: (name: string) => void events.push(name) },
      diskUse: () => answered.then(() => archive.disk()),
    });
    runs.start();
    archive.clock.advance(10 * MINUTE - 1);
    assert.deepEqual(events, []);
    archive.clock.advance(1);
    assert.deepEqual(events, ["archive.retention_failed"]);
    const closed = runs.close();
    answer();
    await closed;
    assert.equal(archive.clock.pending, 0);
  });
});
