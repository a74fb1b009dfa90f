import assert from "node:assert/strict";
import { test } from "node:test";
import { ListingPace } from "../../../../src/parts/archive/index/listing-pace.ts";
import { manualClock } from "../../../support/clock.ts";

test("a directory that is cheap to list is listed at each change", () => {
  const pace = new ListingPace(manualClock());
  pace.listed("new", 1);
  assert.ok(pace.admits("new", 5000));
});

test("a listing that took a second is followed by 19 seconds without one, for this directory", () => {
  const clock = manualClock();
  const pace = new ListingPace(clock);
  assert.ok(pace.admits("new", 0));
  pace.listed("new", 1000);
  clock.advance(19_999);
  assert.equal(pace.admits("new", 5000), false);
  assert.ok(pace.admits("cur", 5000));
  clock.advance(1);
  assert.ok(pace.admits("new", 5000));
});

test("the relay's own copies wait longer, and no other program's", () => {
  const clock = manualClock();
  const pace = new ListingPace(clock);
  pace.listed("new", 10);
  pace.arrived("new", 7000);
  clock.advance(39_999);
  assert.equal(pace.admits("new", 7010), false);
  assert.ok(pace.admits("new", 7100), "a later change is not the relay's");
  clock.advance(1);
  assert.ok(pace.admits("new", 7010), "another change may hide behind it");
});
