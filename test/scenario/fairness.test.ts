// Hosts that take connections and never say a word, the worst kind: they hold up their own mail and nobody else's.

import assert from "node:assert/strict";
import { createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { workspaceConfig } from "../support/build.ts";
import { flood } from "../support/flood.ts";
import { startTestRelay, type TestRelay } from "../support/relay.ts";
import { startSink } from "../support/sink.ts";

const files = { gmail_accounts: "alice\n" };

/** A server that accepts every connection, on every address of this machine, and is silent. */
interface Silence extends AsyncDisposable {
  readonly port: number;
  /** Connections now, by our address that they came to. */
  readonly open: ReadonlyMap<string, number>;
}

async function silence(): Promise<Silence> {
  const sockets = new Set<Socket>();
  const open = new Map<string, number>();
  const server: Server = createServer((socket) => {
    const address = socket.localAddress ?? "";
    sockets.add(socket);
    open.set(address, (open.get(address) ?? 0) + 1);
    socket.on("error", () => undefined);
    // Who does not read does not hear that the other side has closed.
    socket.resume();
    socket.once("close", () => {
      sockets.delete(socket);
      open.set(address, (open.get(address) ?? 0) - 1);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return {
    port: address.port,
    open,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Mail for *.dead.example goes to the silent hosts that DNS gives, everything else to the live one. */
function config(silent: number, live: number): string {
  return workspaceConfig(live)
    .replace(
      '[[routers]]\nname = "world"',
      `[[routers]]
name = "dead"
driver = "dnslookup"
domains = ["*.dead.example"]
ignore_target_hosts = []
transport = "remote_smtp"
$&`,
    )
    .replace('[transports.remote_smtp]\ndriver = "smtp"', `$&\nport = ${silent}`);
}

/** host1.dead.example is 127.0.1.1, and so on. */
function zoneOf(hosts: number) {
  const records = Array.from({ length: hosts }, (_, index) => [
    `host${index}.dead.example`,
    { A: [`127.0.1.${index + 1}`] },
  ]);
  return Object.fromEntries(records);
}

async function liveMailGetsThrough(relay: TestRelay, live: { waitFor(count: number): unknown }) {
  await flood(relay, {
    sender: "alice@example.com",
    recipient: (number) => `user${number}@live.example`,
    count: 10,
  });
  await live.waitFor(10);
}

test("a thousand messages to a dead host do not hold up ten to a live one", async () => {
  await using dead = await silence();
  await using live = await startSink();
  await using relay = await startTestRelay({
    config: config(dead.port, live.port),
    files,
    dns: zoneOf(1),
  });
  await flood(relay, {
    sender: "alice@example.com",
    recipient: (number) => `user${number}@host0.dead.example`,
    count: 1000,
  });
  await liveMailGetsThrough(relay, live);
  assert.ok((dead.open.get("127.0.1.1") ?? 0) <= 5, "few connections to the dead host");
  assert.ok(relay.relay.queue.activeCount < 100, `${relay.relay.queue.activeCount} under attempt`);
  assert.deepEqual(relay.log.named("delivery.deferred"), []);
  await relay.stop(10);
});

test("nor do many dead hosts with some messages each", async () => {
  await using dead = await silence();
  await using live = await startSink();
  const hosts = 100;
  await using relay = await startTestRelay({
    config: config(dead.port, live.port),
    files,
    dns: zoneOf(hosts),
  });
  await flood(relay, {
    sender: "alice@example.com",
    recipient: (number) => `user${number}@host${number % hosts}.dead.example`,
    count: 8 * hosts,
  });
  await liveMailGetsThrough(relay, live);
  assert.ok(relay.relay.queue.activeCount <= 400, `${relay.relay.queue.activeCount} under attempt`);
  assert.equal([...dead.open.values()].filter((open) => open > 0).length, hosts);
  await relay.stop(10);
});

/** Look-ups of so many domains of strangers take as long as they may. */
const DOMAINS = 520;

test("policy hosts of hundreds of domains that say nothing do not hold up mail for a host that works", async () => {
  await using dead = await silence();
  await using live = await startSink();
  const domains = Array.from({ length: DOMAINS }, (_, number) => `d${number}.dead.example`);
  const records = domains.flatMap((domain) => [
    [domain, { A: ["127.0.1.1"] }],
    [`_mta-sts.${domain}`, { TXT: ["v=STSv1; id=1;"] }],
    [`mta-sts.${domain}`, { A: ["127.0.0.1"] }],
  ]);
  await using relay = await startTestRelay({
    config: config(dead.port, live.port),
    files,
    dns: Object.fromEntries(records),
    https: { port: dead.port, isIgnored: () => false },
  });
  await flood(relay, {
    sender: "alice@example.com",
    recipient: (number) => `user@d${number}.dead.example`,
    count: DOMAINS,
  });
  await liveMailGetsThrough(relay, live);
  // On a busy machine the host hears late of connections that the relay has closed.
  const fetched = () => dead.open.get("127.0.0.1") ?? 0;
  for (let turn = 0; turn < 100 && fetched() > 50; turn++) await pause(20);
  assert.ok(fetched() <= 50, `${fetched()} policies are fetched at a time`);
  await relay.stop(10);
});
