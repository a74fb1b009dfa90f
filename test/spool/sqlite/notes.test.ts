// Journal entries of messages under attempt reach the disk in time, whatever happens to the wall clock.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { JournalEntry } from "../../../src/spool/spool.ts";
import { JournalNotes } from "../../../src/spool/sqlite/notes.ts";
import { manualClock } from "../../support/clock.ts";

const HALF_A_SECOND = 500;
const DAY = 86_400_000;

function notes() {
  const clock = manualClock();
  const committed: string[] = [];
  return { clock, committed, notes: new JournalNotes(clock, (id) => void committed.push(id)) };
}

function entry(at: number): JournalEntry {
  const key = {
    target: "a@example.com",
    position: 0,
    address: "a@example.com",
    router: "r",
    transport: "t",
  };
  return { ...key, outcome: "delivered", at };
}

describe("a note of the journal", () => {
  for (const step of [-3_600_000, -400 * DAY, 9 * DAY]) {
    test(`is committed within half a second when the clock is set by ${step} ms`, () => {
      const { clock, committed, notes: journal } = notes();
      journal.add("first", entry(clock.now()));
      clock.step(step);
      journal.add("second", entry(clock.now()));
      clock.advance(HALF_A_SECOND);
      assert.deepEqual(committed, ["first", "second"]);
      journal.add("third", entry(clock.now()));
      clock.step(-step);
      clock.advance(HALF_A_SECOND);
      assert.deepEqual(committed, ["first", "second", "third"]);
    });
  }
});
