// What happens between RCPT and the end of a large message that is on its way to the next host already: a hold, a reload.

import assert from "node:assert/strict";
import { test } from "node:test";
import { workspaceConfig } from "../support/build.ts";
import { type TestRelay, startTestRelay } from "../support/relay.ts";
import { greet, scriptedServer } from "../support/sink.ts";
import type { Wire } from "../support/wire.ts";
import { askRelay } from "../../src/run/control/client.ts";
import { controlSocket } from "../../src/run/control/protocol.ts";

const LINE = "x".repeat(70);
const LARGE = `Subject: large\r\n\r\n${`${LINE}\r\n`.repeat(30_000)}`;
const files = { gmail_accounts: "alice\n" };

const config = (port: number) =>
  workspaceConfig(port).replaceAll(/name = "gmail_remote"/g, "$&\ncutthrough = true");

/** Gets a message by halves at first, and takes every later one. */
async function halfHost() {
  const arrived = Promise.withResolvers<void>();
  let half = "";
  let taken = 0;
  const server = await scriptedServer(async (peer, ordinal) => {
    await greet(peer, ["PIPELINING", "8BITMIME"]);
    await peer.readUntil("DATA\r\n");
    peer.send("250 ok", "250 ok", "354 go on");
    if (ordinal === 1) {
      await peer.readUntil(LINE);
      peer.socket.on("data", (chunk: Buffer) => (half += chunk.toString("latin1")));
      arrived.resolve();
      await peer.closed();
      return;
    }
    await peer.readUntil("\r\n.\r\n");
    taken++;
    peer.send("250 2.0.0 taken");
    await peer.readLine();
  });
  return {
    port: server.port,
    arrived: arrived.promise,
    wasEnded: () => half.includes("\r\n.\r\n"),
    taken: () => taken,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function beginLarge(relay: TestRelay): Promise<Wire> {
  const client = await relay.connect();
  await client.ask("EHLO client.example.net");
  await client.ask("MAIL FROM:<carol@example.net>");
  await client.ask("RCPT TO:<alice@example.com>");
  assert.match(await client.ask("DATA"), /^354 /);
  client.send(LARGE);
  return client;
}

test("a domain that is put on hold meanwhile: the message waits, and goes when it is released", async () => {
  await using host = await halfHost();
  await using relay = await startTestRelay({ config: config(host.port), files });
  const socket = controlSocket(relay.configuration.relay);
  using client = await beginLarge(relay);
  await host.arrived;
  await askRelay(socket, { action: "hold", domain: "example.com" });
  assert.match(await client.ask("."), /^250 2\.0\.0 Ok, queued as /);
  assert.equal((await relay.copies("mail/example.com/alice")).length, 1);
  assert.deepEqual([host.wasEnded(), host.taken()], [false, 0]);
  assert.equal(await relay.relay.spool.count(), 1);
  await askRelay(socket, { action: "release", domain: "example.com" });
  await relay.happened("message.completed");
  assert.deepEqual([host.wasEnded(), host.taken()], [false, 1]);
  assert.equal((await relay.copies("mail/example.com/alice")).length, 1);
});

test("a reload meanwhile: the message goes once, by the configuration in force", async () => {
  await using host = await halfHost();
  await using relay = await startTestRelay({ config: config(host.port), files });
  using client = await beginLarge(relay);
  await host.arrived;
  assert.ok("listeners" in (await relay.relay.reload()));
  assert.match(await client.ask("."), /^250 2\.0\.0 taken$/);
  await relay.happened("message.completed");
  assert.deepEqual([host.wasEnded(), host.taken()], [false, 1]);
  assert.equal((await relay.copies("mail/example.com/alice")).length, 1);
});
