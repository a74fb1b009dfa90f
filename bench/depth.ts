// `npm run bench:depth`: measures the cost of a long queue. It fills a spool with messages that are due, once few and
// once many, starts the relay on it, and measures the time to the greeting, the rate of delivery and the memory.
// Work and sink are those of `npm run bench`. It needs Linux, and apt-get for the sink.

import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { crc32 } from "node:zlib";

import { describeError } from "../src/observe/log.ts";
import { Engine } from "../src/spool/sqlite/engine.ts";
import { insertion, type Transaction } from "../src/spool/sqlite/rows.ts";
import { RECIPIENT, SENDER, unseen } from "./contestants.ts";
import { startSink, untilConnected } from "./load.ts";
import { makeRunsDirectory } from "./measure.ts";
import { mailbox } from "../test/support/build.ts";
import { freePort } from "../test/support/relay-process.ts";
import { idText } from "../src/mail/ids.ts";

const USAGE = `usage: npm run bench:depth -- [--short N] [--long N] [--bytes N]
  --short, --long  messages in the queue (5000, 100000)
  --bytes          size of each (4096)`;

interface Result {
  /** Milliseconds from the start of the process to its greeting. */
  readonly greeting: number;
  readonly perSecond: number;
  /** Resident bytes: at the greeting, and the maximum. */
  readonly memory: number;
  readonly peakMemory: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      short: { type: "string", default: "5000" },
      long: { type: "string", default: "100000" },
      bytes: { type: "string", default: "4096" },
      help: { type: "boolean", default: false },
    },
  });
  const [short, long, bytes] = [values.short, values.long, values.bytes].map(Number);
  if (values.help || !short || !long || !bytes) {
    console.log(USAGE);
    process.exitCode = values.help ? 0 : 64;
    return;
  }
  const runs = makeRunsDirectory();
  using _ = { [Symbol.dispose]: () => fs.rmSync(runs, { recursive: true, force: true }) };
  const rates: number[] = [];
  for (const depth of [short, long]) {
    const { greeting, perSecond, memory, peakMemory } = await drain(runs, depth, bytes);
    rates.push(perSecond);
    console.log(
      `${String(depth).padStart(7)} queued: greeting after ${greeting.toFixed(0)} ms with ${megabytes(memory)}, ` +
        `${perSecond.toFixed(0)} messages/s, peak ${megabytes(peakMemory)}`,
    );
  }
  const [few = NaN, many = NaN] = rates;
  console.log(`\nlong / short: ${(many / few).toFixed(2)} times the messages a second`);
}

async function drain(runs: string, depth: number, bytes: number): Promise<Result> {
  await using cleanUp = new AsyncDisposableStack();
  const directory = path.join(runs, String(depth));
  fs.mkdirSync(path.join(directory, "spool"), { recursive: true });
  const sink = cleanUp.use(await startSink());
  const port = await freePort();
  const { argv, copies } = unseen().prepare({ directory, port, sinkPort: sink.port });
  fillSpool(path.join(directory, "spool"), depth, bytes);

  const [program = "", ...args] = argv;
  const started = performance.now();
  const log = fs.openSync(path.join(directory, "log"), "w");
  const relay = spawn(program, args, { stdio: ["ignore", log, "inherit"] });
  cleanUp.defer(() => void relay.kill("SIGKILL"));
  const { pid = 0 } = relay;
  await untilConnected(port, relay, 5);
  const greeting = performance.now() - started;
  const { VmRSS: memory } = memoryOf(pid);
  while (sink.received() < depth) {
    if (relay.exitCode !== null) throw new Error(`the relay ended with ${relay.exitCode}`);
    await sleep(5);
  }
  const seconds = (performance.now() - started - greeting) / 1000;
  const { VmHWM: peakMemory } = memoryOf(pid);
  const made = fs.readdirSync(copies).length;
  if (made !== depth) throw new Error(`${made} copies of ${depth}`);
  return { greeting, perSecond: depth / seconds, memory, peakMemory };
}

/** Fills the spool as if the messages had come in one after the other, and waited since. */
function fillSpool(directory: string, depth: number, bytes: number): void {
  const engine = new Engine(directory);
  const line = `${"x".repeat(62)}\r\n`;
  const body = Buffer.from(`Subject: depth\r\n\r\n${line.repeat(Math.ceil(bytes / 64))}`);
  const sum = crc32(body);
  const receivedAt = Date.now() - depth;
  const transaction = (index: number): Transaction => {
    const id = idText(receivedAt * 1000 + index);
    const client = { address: "192.0.2.1", helo: "client.test" };
    const envelope = {
      id,
      sender: mailbox(SENDER),
      client,
      receivedAt,
      eightBit: false,
      smtputf8: false,
    };
    const message = { envelope, recipients: [{ mailbox: mailbox(RECIPIENT) }] };
    return [insertion(message, "queued", body.length, sum, body)];
  };
  for (let from = 0; from < depth; from += 1000) {
    const length = Math.min(1000, depth - from);
    const transactions = Array.from({ length }, (_, index) => transaction(from + index));
    engine.commit(transactions, receivedAt);
  }
  engine.close();
}

/** The memory of a process in bytes. */
function memoryOf(pid: number): { VmRSS: number; VmHWM: number } {
  const text = fs.readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1]) * 1024;
  return { VmRSS: field("VmRSS"), VmHWM: field("VmHWM") };
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MB`;
}

try {
  await main();
} catch (error) {
  console.error(describeError(error));
  process.exitCode = 1;
}
