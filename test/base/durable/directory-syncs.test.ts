import assert from "node:assert/strict";
import { test } from "node:test";
import { DirectorySyncs } from "../../../src/base/durable/directory-syncs.ts";
import { type FileCalls, nodeFileCalls } from "../../../src/base/durable/file-calls.ts";

/** fsync waits until the test ends it; `open` counts the rounds. */
function heldCalls() {
  const held: PromiseWithResolvers<void>[] = [];
  let open = 0;
  const calls: FileCalls = {
    ...nodeFileCalls,
    open: () => Promise.resolve((open += 1)),
    fsync: () => {
      const round = Promise.withResolvers<void>();
      held.push(round);
      return round.promise;
    },
    close: () => {
      open -= 1;
    },
  };
  return { calls, held, isClosed: () => open === 0 };
}

const turn = () => new Promise(setImmediate);

test("whoever comes while a sync runs shares the next one", async () => {
  const { calls, held, isClosed } = heldCalls();
  const syncs = new DirectorySyncs(calls);
  const first = syncs.sync("/new");
  await turn();
  const later = [syncs.sync("/new"), syncs.sync("/new"), syncs.sync("/new")];
  await turn();
  assert.equal(held.length, 1, "the running sync may have begun too early for them");

  let laterAreDone = false;
  const all = Promise.all(later).then(() => (laterAreDone = true));
  held[0]?.resolve();
  await first;
  await turn();
  assert.equal(laterAreDone, false);
  assert.equal(held.length, 2);
  held[1]?.resolve();
  await all;
  assert.equal(held.length, 2, "one sync for the three");
  assert.ok(isClosed());
});

test("directories do not wait for each other", async () => {
  const { calls, held } = heldCalls();
  const syncs = new DirectorySyncs(calls);
  const both = [syncs.sync("/a"), syncs.sync("/b")];
  await turn();
  assert.equal(held.length, 2);
  for (const round of held) round.resolve();
  await Promise.all(both);
});

test("a failed sync fails everybody who asked before it failed, and only them", async () => {
  const { calls, held, isClosed } = heldCalls();
  const syncs = new DirectorySyncs(calls);
  const first = assert.rejects(syncs.sync("/new"), /EIO/);
  await turn();
  const second = assert.rejects(syncs.sync("/new"), /EIO/);
  held[0]?.reject(new Error("EIO"));
  await first;
  await second;
  const third = syncs.sync("/new");
  await turn();
  held[1]?.resolve();
  await third;
  assert.ok(isClosed());
});
