import assert from "node:assert/strict";
import { test } from "node:test";
import { FirstError } from "../../src/base/first-error.ts";

test("the first error counts, thrown or rejected, and no step is done behind it", async () => {
  for (const fail of [
    () => {
      throw new Error("one");
    },
    () => Promise.reject(new Error("one")),
  ]) {
    const failure = new FirstError();
    let steps = 0;
    await failure.guard(() => void steps++);
    assert.equal(failure.first, undefined);
    await failure.guard(fail);
    await failure.guard(() => void steps++);
    failure.set(new Error("two"));
    assert.deepEqual([failure.first, steps], [{ error: new Error("one") }, 1]);
  }
});

test("of steps under way at the same time the one that fails first counts", async () => {
  const failure = new FirstError();
  const [early, late] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const both = [failure.guard(() => late.promise), failure.guard(() => early.promise)];
  early.reject(undefined);
  await both[1];
  late.reject(new Error("late"));
  await both[0];
  assert.deepEqual(failure.first, { error: undefined });
});
