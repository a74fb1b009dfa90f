import assert from "node:assert/strict";
import { test } from "node:test";
import { FileTurns } from "../../src/base/file-turns.ts";

function turns(places: number) {
  const files = new FileTurns(places);
  const begun: string[] = [];
  return {
    begun,
    take: (path: string) => {
      const answer = Promise.withResolvers<string>();
      const taken = files.take(path, () => {
        begun.push(path);
        return answer.promise;
      });
      return { taken, ...answer };
    },
  };
}

test("one file has one call under way, and all files together have two", async () => {
  const { take, begun } = turns(2);
  const first = take("a");
  const second = take("a");
  const b = take("b");
  const c = take("c");
  assert.deepEqual(begun, ["a", "b"]);
  b.resolve("is b");
  assert.equal(await b.taken, "is b");
  assert.deepEqual(begun, ["a", "b", "c"], "a hangs: its second call waits, and holds up no other");
  first.reject(new Error("EIO"));
  await assert.rejects(first.taken, /EIO/);
  second.resolve("is a");
  assert.equal(await second.taken, "is a");
  c.resolve("is c");
  assert.equal(await c.taken, "is c");
  assert.deepEqual(begun, ["a", "b", "c", "a"]);
});
