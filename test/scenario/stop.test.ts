// How a relay stops: what is under way may end, within one limit for all of it, and nothing else is begun.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { workspaceConfig } from "../support/build.ts";
import { manualClock } from "../support/clock.ts";
import { startTestRelay } from "../support/relay.ts";
import { greet, scriptedServer } from "../support/sink.ts";
import type { Wire } from "../support/wire.ts";

const files = { gmail_accounts: "alice\n" };
const GRACE = 30_000;

async function submit(client: Wire): Promise<void> {
  await client.ask("EHLO client.example.net");
  await client.ask("MAIL FROM:<alice@example.com>");
  await client.ask("RCPT TO:<bob@example.org>");
  await client.ask("DATA");
  assert.match(await client.ask("Subject: x\r\n\r\nhello\r\n."), /^250 /);
}

test("a session and a delivery that both hang are cut at one limit, and the message is kept", async () => {
  const clock = manualClock();
  const { promise: asked, resolve: hasAsked } = Promise.withResolvers<void>();
  await using world = await scriptedServer(async (connection) => {
    await greet(connection);
    await connection.readUntil("DATA\r\n");
    hasAsked();
    await connection.closed();
  });
  const config = workspaceConfig(world.port, world.port);
  await using relay = await startTestRelay({ config, files, clock });
  using client = await relay.connect();
  await submit(client);
  await asked;
  using hanging = await relay.connect();
  await hanging.ask("EHLO client.example.net");
  await hanging.ask("MAIL FROM:<alice@example.com>");
  const stopped = relay.stop(GRACE);
  await setImmediate();
  clock.advance(GRACE);
  // The delivery is cut as soon as the session is: time stands still from here on.
  const cut = relay.happened("delivery.deferred");
  while (relay.log.named("session.ended").length === 0) await setImmediate();
  for (let turn = 0; turn < 20; turn++) await setImmediate();
  clock.advance(0);
  await cut;
  await stopped;
  assert.equal(relay.log.named("relay.stopped").length, 1);
});

test("what waits in the spool is not begun while sessions end", async () => {
  const clock = manualClock();
  await using world = await scriptedServer(async (connection) => {
    connection.send("421 mx.test not now");
    await connection.closed();
  });
  const rules = '[[retry]]\nrules = "F,1h,1m"\n';
  const config = `${workspaceConfig(world.port, world.port)}${rules}`;
  await using relay = await startTestRelay({ config, files, clock });
  using client = await relay.connect();
  await submit(client);
  const { spool } = relay.relay;
  while ((await spool.nextDue()) === undefined) await setImmediate();
  // The queue has asked before us now, and set its timer.
  await spool.nextDue();
  await client.ask("MAIL FROM:<alice@example.com>");
  const stopped = relay.stop(3_600_000);
  await setImmediate();
  clock.advance(120_000);
  for (let turn = 0; turn < 20; turn++) await spool.nextDue();
  assert.match(await client.ask("RSET"), /^(?:250|421) /);
  await client.ask("QUIT");
  await stopped;
  assert.equal(world.connections, 1);
  assert.equal(relay.log.named("delivery.deferred").length, 1);
});
