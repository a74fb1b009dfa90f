// Promise 1: kill -9 loses nothing that got a 250, and duplicates at most what was in flight.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { processConfig } from "../support/build.ts";
import { freePort, startRelayProcess } from "../support/relay-process.ts";
import { type Sink, startSink } from "../support/sink.ts";
import { Wire } from "../support/wire.ts";

const ROUNDS = 5;
const SENDERS = 6;
/** The sink takes its time over the second: its copies are there long before its mail is done. */
const ACCOUNTS = ["alice", "slow"];

function configured(directory: string, port: number, sinkPort: number): string {
  const file = join(directory, "routers.toml");
  writeFileSync(join(directory, "accounts"), `${ACCOUNTS.join("\n")}\n`);
  writeFileSync(file, processConfig(port, sinkPort));
  return file;
}

/** Line, number and hash: enough to find a message again and to see that it is whole. Up to about 300 kB. */
function compose(number: number): string {
  const text = `${number} `.repeat(
    (number * 7919) % 30_000 === 0 ? 1 : 1 + ((number * 7919) % 80_000),
  );
  const lines = text.replaceAll(/.{1,70}/g, "$&\r\n");
  const hash = createHash("sha256").update(lines).digest("hex");
  return `X-Number: ${number}\r\nX-Hash: ${hash}\r\n\r\n${lines}`;
}

/** The number of a whole message. Throws when a byte of it is wrong. */
function numberOf(message: string): number {
  const [, number, hash] = /^X-Number: (\d+)\r?\nX-Hash: (\w+)/m.exec(message) ?? [];
  const body = message.slice(message.search(/\r?\n\r?\n/)).replace(/^\r?\n\r?\n/, "");
  const lines = body.replaceAll(/\r?\n/g, "\r\n");
  assert.equal(
    createHash("sha256").update(lines).digest("hex"),
    hash,
    `message ${number} is damaged`,
  );
  return Number(number);
}

/** Sends until told to stop; a number is acknowledged when its 250 was read. */
class Senders {
  readonly acknowledged = new Set<number>();
  #next = 1;
  #stopped = false;
  #done: Promise<void[]>;

  constructor(port: number) {
    this.#done = Promise.all(Array.from({ length: SENDERS }, () => this.#run(port)));
  }

  async #run(port: number): Promise<void> {
    while (!this.#stopped) {
      try {
        using wire = await Wire.open(port);
        await wire.reply();
        await wire.ask("EHLO client.test");
        while (!this.#stopped) {
          const number = this.#next++;
          await wire.ask("MAIL FROM:<sender@w.test>");
          await wire.ask(`RCPT TO:<${ACCOUNTS[number % 2]}@example.com>`);
          await wire.ask("DATA");
          const reply = await wire.ask(`${compose(number)}.`);
          assert.match(reply, /^250 /);
          this.acknowledged.add(number);
        }
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        await pause(20);
      }
    }
  }

  /** Resolves when `count` more messages are acknowledged. */
  async untilMore(count: number): Promise<void> {
    const wanted = this.acknowledged.size + count;
    while (this.acknowledged.size < wanted) await pause(20);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }
}

async function retryAll(config: string): Promise<void> {
  const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
  const args = [main, "queue", "retry", "--all", "--config", config];
  await promisify(execFile)(process.execPath, args).catch(() => undefined);
}

async function drained(config: string, sink: Sink, wanted: ReadonlySet<number>): Promise<number[]> {
  const relay = await startRelayProcess(config);
  const there = () => sink.messages.map(({ raw }) => numberOf(raw.toString("latin1")));
  for (let tries = 0; tries < 1200; tries++) {
    const numbers = new Set(there());
    if ([...wanted].every((number) => numbers.has(number))) break;
    // A message that was put off because all connections were in use has a time of its own, minutes from here.
    if (tries % 100 === 99) await retryAll(config);
    await pause(50);
  }
  await relay.kill("SIGTERM");
  return there();
}

it("kill -9 in a loop under load loses no message that got a 250, and leaves one copy of each", async () => {
  const directory = mkdtempSync(join(tmpdir(), "unseen-crash-"));
  try {
    await using sink = await startSink({ slowness: 40 });
    const port = await freePort();
    const config = configured(directory, port, sink.port);
    let relay = await startRelayProcess(config);
    const senders = new Senders(port);
    for (let round = 0; round < ROUNDS; round++) {
      await senders.untilMore(10);
      await pause(Math.random() * 700);
      await relay.kill("SIGKILL");
      relay = await startRelayProcess(config);
    }
    await senders.stop();
    await relay.kill("SIGKILL");

    const arrived = await drained(config, sink, senders.acknowledged);
    const copies = ACCOUNTS.flatMap((account) => {
      const directoryOfNew = join(directory, "mail", account, "new");
      return readdirSync(directoryOfNew).map((name) =>
        numberOf(readFileSync(join(directoryOfNew, name), "latin1")),
      );
    });
    for (const [where, numbers] of [
      ["sink", arrived],
      ["Maildir", copies],
    ] as const) {
      const lost = [...senders.acknowledged].filter((number) => !numbers.includes(number));
      assert.deepEqual(lost, [], `lost on the way to the ${where}`);
      // Each kill can catch every delivery to a host in flight once, and no more. A copy is found again.
      const surplus = numbers.length - new Set(numbers).size;
      const most = where === "sink" ? (ROUNDS + 1) * 30 : 0;
      assert.ok(surplus <= most, `${surplus} duplicates in the ${where}`);
    }
    assert.deepEqual(readdirSync(join(directory, "spool", "bodies")), []);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
