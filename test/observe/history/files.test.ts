// The files of the history, by their names.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  dateOf,
  dayFile,
  daysIn,
  historyDirectory,
  partOf,
  removeDay,
  sizeOf,
} from "../../../src/observe/history/files.ts";

/** A directory with these files, of ten octets each. */
function directoryOf(...names: readonly string[]) {
  const path = mkdtempSync(join(tmpdir(), "unseen-history-"));
  for (const name of names) writeFileSync(join(path, name), "0123456789");
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

describe("the days of a history", () => {
  const table: readonly (readonly [files: readonly string[], days: readonly string[]])[] = [
    [[], []],
    [["2026-11-22.sqlite"], ["2026-11-22"]],
    [
      ["2026-11-23.sqlite", "2026-11-22.sqlite", "2025-12-31.sqlite"],
      ["2025-12-31", "2026-11-22", "2026-11-23"],
    ],
    [
      ["2026-11-22.10.sqlite", "2026-11-22.9.sqlite", "2026-11-22.sqlite", "2026-11-21.11.sqlite"],
      ["2026-11-21.11", "2026-11-22", "2026-11-22.9", "2026-11-22.10"],
    ],
    [
      [
        "2026-11-22.sqlite-wal",
        "2026-11-22.sqlite.bak",
        "x2026-11-22.sqlite",
        "2026-11-2.sqlite",
        "2026-11-22.x.sqlite",
        "2026-11-22.1234567.sqlite",
        "spool.sqlite",
      ],
      [],
    ],
  ];
  for (const [files, days] of table) {
    it(`in ${files.join(", ") || "nothing"} are ${days.join(", ") || "none"}`, () => {
      using directory = directoryOf(...files);
      assert.deepEqual(daysIn(directory.path), days);
    });
  }

  it("are none where there is no directory, and an error where it is a file", () => {
    using directory = directoryOf("file");
    assert.deepEqual(daysIn(join(directory.path, "none")), []);
    assert.throws(() => daysIn(join(directory.path, "file")), { code: "ENOTDIR" });
  });
});

describe("a day", () => {
  const table: readonly (readonly [name: string, date: string, part: number])[] = [
    ["2026-11-22", "2026-11-22", 0],
    ["2026-11-22.1", "2026-11-22", 1],
    ["2026-11-22.120", "2026-11-22", 120],
  ];
  for (const [name, date, part] of table) {
    it(`${name} is part ${part} of ${date}`, () => {
      assert.deepEqual([dateOf(name), partOf(name)], [date, part]);
      assert.equal(dayFile("/s/history", name), `/s/history/${name}.sqlite`);
    });
  }

  it("stands beside the spool", () => assert.equal(historyDirectory("/s"), "/s/history"));

  const sizes: readonly (readonly [files: readonly string[], size: number])[] = [
    [[], 0],
    [["2026-11-22.sqlite"], 10],
    [["2026-11-22.sqlite", "2026-11-22.sqlite-wal", "2026-11-22.sqlite-shm"], 30],
    [["2026-11-22.1.sqlite", "2026-11-23.sqlite"], 0],
  ];
  for (const [files, size] of sizes) {
    it(`of ${files.join(", ") || "no file"} has ${size} octets, and goes with all of them`, () => {
      using directory = directoryOf("2026-11-21.sqlite", ...files);
      assert.equal(sizeOf(directory.path, "2026-11-22"), size);
      removeDay(directory.path, "2026-11-22");
      const others = files.filter((name) => !name.startsWith("2026-11-22.sqlite"));
      const left = ["2026-11-21.sqlite", ...others];
      assert.deepEqual(readdirSync(directory.path).toSorted(), left.toSorted());
    });
  }
});
