// The order in which a relay stops, whatever the order in which it was started.

import assert from "node:assert/strict";
import { test } from "node:test";
import { shutDown, Started } from "../../src/run/shutdown.ts";
import { manualClock } from "../support/clock.ts";

const NAMES = [
  "history",
  "spool",
  "generations",
  "parts",
  "mail",
  "clock",
  "reloading",
  "control",
] as const;

function startedWith(names: readonly (typeof NAMES)[number][], failing: readonly string[] = []) {
  const started = new Started();
  const stopped: string[] = [];
  for (const name of names) {
    started.set(name, async (grace) => {
      // A stop that is not waited for lets the next one begin before it has ended.
      await Promise.resolve();
      stopped.push(`${name} ${grace}`);
      if (failing.includes(name)) throw new Error(`${name} cannot be stopped`);
    });
  }
  return { started, stopped };
}

test("a relay stops from the front door to the spool", async () => {
  for (const names of [NAMES, NAMES.toReversed()]) {
    const { started, stopped } = startedWith(names);
    await started.stop(7);
    assert.deepEqual(stopped, [
      "control 7",
      "reloading 7",
      "clock 7",
      "mail 7",
      "parts 7",
      "generations 7",
      "spool 7",
      "history 7",
    ]);
  }
});

test("only what was started is stopped", async () => {
  const { started, stopped } = startedWith(["generations", "mail"]);
  await started.stop(0);
  assert.deepEqual(stopped, ["mail 0", "generations 0"]);
});

test("a later stop of the same name replaces the earlier one", async () => {
  const { started, stopped } = startedWith(["mail"]);
  started.set("mail", () => void stopped.push("queue, too"));
  await started.stop(0);
  assert.deepEqual(stopped, ["queue, too"]);
});

test("when stops fail, all others are tried, and the first error is thrown", async () => {
  for (const failing of [["mail"], ["control", "parts", "history"], NAMES]) {
    const { started, stopped } = startedWith(NAMES, failing);
    const [first] = NAMES.filter((name) => failing.includes(name)).toReversed();
    await assert.rejects(started.stop(0), { message: `${first} cannot be stopped` });
    assert.equal(stopped.length, NAMES.length);
  }
});

test("a stop that throws at once keeps no later one from its turn", async () => {
  const { started, stopped } = startedWith(["spool"]);
  started.set("control", () => {
    throw new Error("no socket");
  });
  await assert.rejects(started.stop(0), { message: "no socket" });
  assert.deepEqual(stopped, ["spool 0"]);
});

test("sessions end before attempts, both share the grace, and processes end meanwhile", async () => {
  const clock = manualClock();
  const asked: string[] = [];
  const server = {
    stop: async (grace: number) => {
      asked.push(`server ${grace}`);
      clock.advance(300);
    },
  };
  const queue = {
    takeNoMore: () => void asked.push("takes no more"),
    stop: (grace: number) => {
      asked.push(`queue ${grace}`);
      return Promise.resolve();
    },
  };
  const processes = {
    close: (grace: number) => {
      asked.push(`processes ${grace}`);
      return Promise.resolve();
    },
  };
  await shutDown({ server, queue, processes }, 1000, clock);
  await shutDown({ server, queue, processes }, 200, clock);
  assert.deepEqual(asked, [
    "takes no more",
    "server 1000",
    "processes 1000",
    "queue 700",
    "takes no more",
    "server 200",
    "processes 200",
    "queue 0",
  ]);
});
