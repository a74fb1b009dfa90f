// Days in the reader's zone, ages and sizes.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  dayAfter,
  dayOf,
  isZone,
  parseAge,
  parseDay,
  parseSize,
  startOfDay,
} from "../../../../src/parts/archive/search/days.ts";

const HOUR = 3_600_000;
const day = (text: string) => {
  const found = parseDay(text, { now: 0, zone: "UTC" });
  assert.ok(found, text);
  return found;
};
const start = (text: string, zone: string) => new Date(startOfDay(day(text), zone)).toISOString();
const hours = (text: string, zone: string) =>
  (startOfDay(dayAfter(day(text)), zone) - startOfDay(day(text), zone)) / HOUR;

describe("a day begins at its first moment in the zone", () => {
  test("offsets of hours and parts of hours", () => {
    assert.equal(start("2026-11-30", "UTC"), "2026-11-30T00:00:00.000Z");
    assert.equal(start("2026-11-30", "America/Los_Angeles"), "2026-11-30T08:00:00.000Z");
    assert.equal(start("2026-11-30", "Asia/Kathmandu"), "2026-11-29T18:15:00.000Z");
    assert.equal(start("2026-11-30", "Pacific/Kiritimati"), "2026-11-29T10:00:00.000Z");
    assert.equal(start("1969-12-31", "Europe/Berlin"), "1969-12-30T23:00:00.000Z");
  });

  test("days of 23 and 25 hours", () => {
    assert.equal(hours("2026-03-29", "Europe/Berlin"), 23);
    assert.equal(hours("2026-10-25", "Europe/Berlin"), 25);
    assert.equal(hours("2026-10-26", "Europe/Berlin"), 24);
    assert.equal(hours("2026-04-05", "Australia/Lord_Howe"), 24.5);
  });

  test("clocks that change at midnight", () => {
    // 00:00 was skipped: the day began at 01:00.
    assert.equal(start("2018-11-04", "America/Sao_Paulo"), "2018-11-04T03:00:00.000Z");
    assert.equal(hours("2018-11-04", "America/Sao_Paulo"), 23);
    // 24:00 became 23:00 of the same day.
    assert.equal(hours("2018-02-17", "America/Sao_Paulo"), 25);
    // The day did not exist.
    assert.equal(hours("2011-12-30", "Pacific/Apia"), 0);
  });

  test("every moment belongs to the day that a clock in the zone shows", () => {
    for (const zone of ["Europe/Berlin", "America/Sao_Paulo", "Asia/Tehran", "Africa/Cairo"]) {
      const shown = new Intl.DateTimeFormat("sv-SE", { timeZone: zone });
      for (let at = Date.UTC(2018, 0, 1); at < Date.UTC(2018, 11, 31); at += 24 * HOUR) {
        const from = startOfDay(day(shown.format(at)), zone);
        assert.equal(shown.format(from), shown.format(at));
        assert.ok(shown.format(from - 1) < shown.format(from), `${zone} ${shown.format(at)}`);
      }
    }
  });
});

test("today and yesterday are days of the reader, not of the server", () => {
  const now = Date.UTC(2026, 2, 1, 3);
  const both = (zone: string) =>
    ["today", "Yesterday"].map((text) => parseDay(text, { now, zone }));
  assert.deepEqual(both("Asia/Tokyo"), [dayOf(2026, 3, 1), dayOf(2026, 2, 28)]);
  assert.deepEqual(both("America/New_York"), [dayOf(2026, 2, 28), dayOf(2026, 2, 27)]);
});

test("days that do not exist, and other ways to write one, are refused", () => {
  for (const text of ["2026-02-30", "2026-13-01", "2026-00-10", "2025-02-29", "0026-01-01"]) {
    assert.equal(parseDay(text, { now: 0, zone: "UTC" }), undefined, text);
  }
  for (const text of [
    "30.11.2026",
    "11/30/2026",
    "2026-11/30",
    "2026-11",
    "2026",
    "tomorrow",
    "",
  ]) {
    assert.equal(parseDay(text, { now: 0, zone: "UTC" }), undefined, text);
  }
  assert.deepEqual(day("2024-02-29"), day("2024/2/29"));
});

test("ages and sizes", () => {
  assert.deepEqual(["1h", "2d", "3W", "1y", "0d"].map(parseAge), [
    HOUR,
    48 * HOUR,
    504 * HOUR,
    8760 * HOUR,
    0,
  ]);
  for (const text of ["2m", "d", "1.5d", "-1d", "1dd", "1", "1 d", "9999999d"]) {
    assert.equal(parseAge(text), undefined, text);
  }
  assert.deepEqual(
    ["0", "500", "64K", "5m", "5MB", "1g"].map(parseSize),
    [0, 500, 65_536, 5_242_880, 5_242_880, 1_073_741_824],
  );
  for (const text of ["", "K", "5T", "1.5M", "-1", "5 M", "1e3", "9999999999999"]) {
    assert.equal(parseSize(text), undefined, text);
  }
});

test("zones have the names of IANA", () => {
  assert.deepEqual(["UTC", "Europe/Berlin", "Mars/Olympus", ""].map(isZone), [
    true,
    true,
    false,
    false,
  ]);
});
