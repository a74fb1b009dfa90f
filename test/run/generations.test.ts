import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { Configuration } from "../../src/config/configuration.ts";
import { type Generation, Generations } from "../../src/run/generations.ts";
import { workspaceConfig } from "../support/build.ts";
import { manualClock } from "../support/clock.ts";
import { startTestRelay } from "../support/relay.ts";

const HOUR = 3_600_000;

async function anyConfiguration(): Promise<Configuration> {
  await using relay = await startTestRelay({
    config: workspaceConfig(9),
    files: { gmail_accounts: "alice\n" },
  });
  return relay.configuration;
}

async function setup() {
  const clock = manualClock();
  const configuration = await anyConfiguration();
  const closed: string[] = [];
  const passed = Promise.withResolvers<void>();
  const generation = (name: string): Generation => ({
    configuration,
    chain: {
      close: () => {
        closed.push(name);
        return Promise.resolve();
      },
    },
    reception: {
      connect: () => undefined,
      mail: () => ({ code: 450, enhanced: "4.0.0", text: name }),
    },
  });
  const generations = new Generations(generation("one"), { passed: () => passed.promise }, clock);
  return { clock, closed, passed, generation, generations };
}

test("a generation is closed when no transaction and no attempt can have it any more", async () => {
  const { clock, closed, passed, generation, generations } = await setup();
  generations.follow(generation("two"));
  clock.advance(HOUR);
  await setImmediate();
  assert.deepEqual(closed, []);
  clock.advance(HOUR / 4);
  await setImmediate();
  assert.deepEqual(closed, [], "an attempt is under way");
  passed.resolve();
  await setImmediate();
  assert.deepEqual(closed, ["one"]);
});

test("the end of the relay closes all of them, each once", async () => {
  const { clock, closed, passed, generation, generations } = await setup();
  generations.follow(generation("two"));
  generations.follow(generation("three"));
  await generations.close();
  passed.resolve();
  await setImmediate();
  assert.deepEqual(closed.toSorted(), ["one", "three", "two"]);
  assert.equal(clock.pending, 0);
});

test("of many generations in a short time the oldest are closed, when no attempt has them", async () => {
  const { clock, closed, passed, generation, generations } = await setup();
  for (let index = 0; index < 20; index++) generations.follow(generation(`${index}`));
  await setImmediate();
  assert.deepEqual(closed, [], "an attempt is under way");
  passed.resolve();
  await setImmediate();
  assert.deepEqual(closed, ["one", "0", "1", "2"]);
  await generations.close();
  assert.equal(closed.length, 21);
  assert.equal(new Set(closed).size, 21);
  assert.equal(clock.pending, 0);
});
