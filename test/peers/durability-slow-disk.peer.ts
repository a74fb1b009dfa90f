// A disk on which every fsync takes 20 ms: commits are shared, and nobody who does not need the disk waits for it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { eventually } from "./eventually.ts";
import { cannotTrace, prepareGround, send, session, SMALL, trace } from "./durability.ts";

const SESSIONS = 45;
const DELAY = 20_000;

const skip = cannotTrace();

it("many sessions on a slow disk share its commits", { skip }, async () => {
  await using ground = await prepareGround();
  const relay = await ground.start();
  const wires = await Promise.all(Array.from({ length: SESSIONS }, () => session(ground.port)));
  const file = join(ground.directory, "trace");
  const slowness = await trace(relay.pid, [
    "-y",
    "-o",
    file,
    "-e",
    "trace=fsync",
    "-e",
    `inject=fsync:delay_enter=${DELAY}`,
  ]);
  const replies = await Promise.all(wires.map((wire, index) => send(wire, index + 1, SMALL)));
  await slowness.stop();
  assert.ok(
    replies.every((reply) => reply.startsWith("250 ")),
    replies.join("\n"),
  );
  const commits = readFileSync(file, "latin1").split("spool.sqlite-wal").length - 1;
  assert.ok(commits > 0 && commits < SESSIONS / 3, `${commits} commits for ${SESSIONS} messages`);
  for (const wire of wires) wire[Symbol.dispose]();
  await eventually("all are delivered", () => ground.arrived().length === SESSIONS);
});

it("a session that waits for a slow disk holds up no other", { skip }, async () => {
  await using ground = await prepareGround();
  const relay = await ground.start();
  using waiting = await session(ground.port);
  using lively = await session(ground.port);
  const slowness = await trace(relay.pid, [
    "-o",
    "/dev/null",
    "-e",
    "trace=fsync",
    "-e",
    "inject=fsync:delay_enter=2000000",
  ]);
  let isAnswered = false;
  const held = send(waiting, 1, SMALL).finally(() => (isAnswered = true));
  // By now its commit is in the middle of the fsync.
  await pause(300);
  // Who says NOOP a hundred times is cut off.
  for (let i = 0; i < 90; i++) {
    assert.match(await lively.ask("NOOP"), /^250 /);
    assert.equal(isAnswered, false, `the slow one was answered before NOOP ${i + 1}`);
  }
  assert.match(await held, /^250 /);
  await slowness.stop();
});
