// The whole history, read in the order in which it was written.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { idText } from "../../../src/mail/ids.ts";
import { HistoryDays } from "../../../src/observe/history/day-files.ts";
import { HistoryReader } from "../../../src/observe/history/read.ts";

const DAY = 86_400_000;
const START = Date.UTC(2026, 10, 20, 12);

class Written implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), "unseen-since-"));
  readonly #days = new HistoryDays(
    this.directory,
    { keep: 90 * DAY, sizeMax: 64 * 1024 * 1024, reserve: 0 },
    { free: () => 1e12, monotonic: () => 0 },
  );

  /** An event of the message with this number. */
  write(at: number, number: number, name = "copy.missing", leftOut = 0): void {
    const events = JSON.stringify([at, name, { id: idText(number) }]);
    const key = idText(number);
    this.#days.write([{ key, at, events, count: 1, leftOut, addresses: [] }], at);
  }

  read(onDamage: (day: string) => void = () => assert.fail()): HistoryReader {
    this.#days.close();
    return new HistoryReader(this.directory, onDamage);
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true });
  }
}

describe("the history since a time", () => {
  it("comes in the order of writing, over all days and pages", () => {
    using written = new Written();
    for (let at = 0; at < 350; at++) written.write(START + Math.floor(at / 150) * DAY + at, at);
    using history = written.read();
    const numbers = Array.from(
      history.since(0, () => true),
      ({ id }) => Number.parseInt(id ?? "", 36),
    );
    assert.deepEqual(
      numbers,
      Array.from({ length: 350 }, (_, at) => at),
    );
  });

  it("leaves out what is older, and texts that are not wanted", () => {
    using written = new Written();
    written.write(START, 1);
    written.write(START + DAY, 2);
    written.write(START + DAY + 10, 3, "message.accepted");
    written.write(START + DAY + 20, 4);
    using history = written.read();
    const ids = (since: number) =>
      Array.from(
        history.since(since, (text) => text.includes("copy.")),
        ({ id }) => id,
      );
    assert.deepEqual(ids(0), [idText(1), idText(2), idText(4)]);
    assert.deepEqual(ids(START + DAY), [idText(2), idText(4)]);
    assert.deepEqual(ids(START + DAY + 1), [idText(4)]);
    assert.deepEqual(ids(START + 2 * DAY), []);
  });

  it("begins with the oldest event, and counts what it had no room for", () => {
    using written = new Written();
    written.write(START, 1, "copy.missing", 2);
    written.write(START + 3 * DAY, 2, "copy.missing", 5);
    using history = written.read();
    assert.equal(history.beginning, START);
    assert.equal(history.leftOutSince(0), 7);
    assert.equal(history.leftOutSince(START + 2 * DAY), 5);
  });

  it("may be none", () => {
    using written = new Written();
    using history = written.read();
    assert.equal(history.beginning, undefined);
    assert.deepEqual([...history.since(0, () => true)], []);
  });

  it("goes on after a damaged day, and says so", () => {
    using written = new Written();
    written.write(START, 1);
    written.write(START + DAY, 2);
    const damaged: string[] = [];
    written.read().since(0, () => true);
    const [first = ""] = readdirSync(join(written.directory, "history")).toSorted();
    writeFileSync(join(written.directory, "history", first), "x".repeat(8192));
    using history = written.read((day) => damaged.push(day));
    assert.deepEqual(
      Array.from(
        history.since(0, () => true),
        ({ id }) => id,
      ),
      [idText(2)],
    );
    assert.deepEqual(damaged, ["2026-11-20"]);
    assert.equal(history.beginning, START + DAY);
  });
});
