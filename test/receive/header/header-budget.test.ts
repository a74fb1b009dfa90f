import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderBudget } from "../../../src/receive/header/header-budget.ts";

const K = 1024;

test("what all hold together has an end, but for the little that each gets in any case", () => {
  const budget = new HeaderBudget(256 * K, 100 * K);
  const [one, two, three] = [budget.account(), budget.account(), budget.account()];
  assert.equal(one.set(60 * K), true);
  assert.equal(two.set(40 * K), true);
  assert.equal(one.set(61 * K), false);
  assert.equal(budget.held, 100 * K);
  assert.equal(three.set(16 * K), true);
  assert.equal(three.set(17 * K), false);
  assert.equal(one.set(30 * K), true, "less is always granted");
  assert.equal(three.set(17 * K), true);
});

test("what a message gives back is there for others", () => {
  const budget = new HeaderBudget(256 * K, 100 * K);
  const [one, two] = [budget.account(), budget.account()];
  one.set(100 * K);
  assert.equal(two.set(50 * K), false);
  one.set(0);
  one.set(0);
  assert.equal(budget.held, 0);
  assert.equal(two.set(100 * K), true);
});
