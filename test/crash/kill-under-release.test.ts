// kill -9 in the middle of a release of mail that waited: nothing is lost, and at most what was in flight comes twice.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { processConfig } from "../support/build.ts";
import { freePort, type RelayProcess, startRelayProcess } from "../support/relay-process.ts";
import { type Sink, startSink } from "../support/sink.ts";
import { Wire } from "../support/wire.ts";

const MAIN = join(import.meta.dirname, "../../src/main.ts");
const MESSAGES = 600;
const ACCOUNTS = 20;
const KILLS = 2;
/** The connections of a transport to one host. */
const IN_FLIGHT = 20;

it("a release that is killed goes on, and loses nothing", { timeout: 120_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "unseen-release-"));
  await using sink = await startSink();
  const port = await freePort();
  const accounts = Array.from({ length: ACCOUNTS }, (_, index) => `user${index}`);
  writeFileSync(join(directory, "accounts"), `${accounts.join("\n")}\n`);
  const file = join(directory, "routers.toml");
  const failover = `[failover]\ntransports = ["google"]\nrelease_rate = "10/1s"\n`;
  writeFileSync(file, `${processConfig(port, sink.port)}\n${failover}`);
  const order = (verb: string) =>
    execFileSync(process.execPath, [MAIN, "failover", verb, "--config", file]);
  order("on");
  let relay = await startRelayProcess(file);
  try {
    await accept(port);
    assert.equal(sink.messages.length, 0);
    order("off");
    for (let kill = 1; kill <= KILLS; kill++) {
      await arrived(sink, (MESSAGES * kill) / (KILLS + 1));
      await relay.kill("SIGKILL");
      relay = await startRelayProcess(file);
    }
    await released(relay);
    const numbers = sink.messages.map(({ raw }) => /^X-Number: (\d+)/m.exec(raw.toString())?.[1]);
    assert.equal(new Set(numbers).size, MESSAGES);
    assert.ok(numbers.length - MESSAGES <= KILLS * IN_FLIGHT, `${numbers.length} arrived`);
  } finally {
    await relay.kill("SIGTERM");
    rmSync(directory, { recursive: true });
  }
});

async function accept(port: number): Promise<void> {
  using wire = await Wire.open(port, "127.0.0.1", "127.0.0.9");
  await wire.reply();
  await wire.ask("EHLO client.example.net");
  for (let number = 0; number < MESSAGES; number++) {
    await wire.ask("MAIL FROM:<carol@example.net>");
    await wire.ask(`RCPT TO:<user${number % ACCOUNTS}@example.com>`);
    await wire.ask("DATA");
    wire.send(`X-Number: ${number}\r\n\r\nhello\r\n.\r\n`);
    assert.match(await wire.reply(), /^250 /);
  }
}

async function arrived({ messages }: Sink, count: number): Promise<void> {
  while (messages.length < count) await pause(20);
}

async function released(relay: RelayProcess): Promise<void> {
  while (!relay.log().includes("failover.released")) await pause(50);
}
