import assert from "node:assert/strict";
import { test } from "node:test";
import { FileNames } from "../../src/maildir/file-names.ts";
import { manualClock } from "../support/clock.ts";

test("a name has time, process, count, random number and host", () => {
  const names = new FileNames(manualClock(1_767_225_600_123), "mx.example.com");
  const shape = /^1767225600\.M123000P(\d+)Q1R[0-9a-f]{16}\.mx\.example\.com$/;
  const [, pid] = shape.exec(names.next()) ?? [];
  assert.equal(Number(pid), process.pid);
});

test("names differ though the clock stands still, in one process and in two", () => {
  const clock = manualClock();
  const makers = [new FileNames(clock, "mx"), new FileNames(clock, "mx")];
  const names = new Set(
    makers.flatMap((maker) => Array.from({ length: 1000 }, () => maker.next())),
  );
  assert.equal(names.size, 2000);
});

test("slash and colon of a host name are escaped, and a long one leaves room for the tag", () => {
  assert.match(new FileNames(manualClock(), "a/b:c").next(), /\.a\\057b\\072c$/);
  const long = new FileNames(manualClock(), "x".repeat(253)).next();
  assert.ok(long.length <= 190);
});
