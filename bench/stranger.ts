// `npm run bench:stranger`: measures what one stranger costs other clients. A neighbour sends ordinary mail as fast as
// the relay accepts it, alone and beside a stranger. The stranger has 25 connections and sends no message that is
// accepted, in one of several ways. The table shows the neighbour's rate, its replies, and the relay's memory.
// The stranger is a process of its own. On a machine with few cores its own work slows the neighbour too, so the last
// column shows how much of a core the relay spent in addition to the neighbour's messages.

import { fork } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { freePort, type RelayProcess, startRelayProcess } from "../test/support/relay-process.ts";
import { tlsListener } from "../test/support/certificates.ts";
import { Wire } from "../test/support/wire.ts";
import { makeRunsDirectory } from "./measure.ts";
import { STRANGERS } from "./strangers.ts";

const USAGE = `usage: npm run bench:stranger -- [--seconds N] [--connections N] [--only KIND]...
  --seconds      of each measurement (3)
  --connections  of the stranger (25)
  --only         this kind of stranger only; may be given again: ${Object.keys(STRANGERS).join(", ")}`;

/** Rounds of the measurement. In each, the neighbour is alone and then beside the stranger. The table has the medians. */
const ROUNDS = 3;
const isRoot = process.getuid?.() === 0;
const NEIGHBOUR = "127.0.0.8";
const NEIGHBOUR_CONNECTIONS = 8;
const LETTER = `Subject: ordinary\r\nFrom: <carol@example.net>\r\n\r\n${"an ordinary line\r\n".repeat(200)}.\r\n`;

interface Measured {
  /** The neighbour's messages a second. */
  readonly rate: number;
  /** Milliseconds from a command to its reply. */
  readonly median: number;
  readonly longest: number;
  /** The share of a core that the relay used meanwhile. */
  readonly processor: number;
  /** The maximum memory of the relay in octets. */
  readonly memory: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "3" },
      connections: { type: "string", default: "25" },
      only: { type: "string", multiple: true, default: Object.keys(STRANGERS) },
      help: { type: "boolean", default: false },
    },
  });
  const [seconds, connections] = [values.seconds, values.connections].map(Number);
  const unknown = values.only.filter((kind) => !(kind in STRANGERS));
  if (values.help || !seconds || !connections || unknown.length > 0) {
    console.log(USAGE);
    process.exitCode = values.help ? 0 : 64;
    return;
  }
  const runs = makeRunsDirectory();
  using _ = { [Symbol.dispose]: () => fs.rmSync(runs, { recursive: true, force: true }) };
  console.log(
    "stranger          rate left   median ms  longest ms  memory MB  relay's work for him",
  );
  for (const kind of values.only) {
    const rounds = await measure(path.join(runs, kind), { kind, seconds, connections });
    const left = median(rounds.map(({ alone, beside }) => beside.rate / alone.rate));
    const cost = median(
      rounds.map(
        ({ alone, beside }) => beside.processor - (alone.processor * beside.rate) / alone.rate,
      ),
    );
    const grown = Math.max(...rounds.map(({ alone, beside }) => beside.memory - alone.memory));
    const medians = [
      median(rounds.map(({ alone }) => alone.median)),
      median(rounds.map(({ beside }) => beside.median)),
    ];
    console.log(
      [
        kind.padEnd(16),
        `${Math.round(100 * left)}%`.padStart(10),
        medians
          .map((one) => one.toFixed(1))
          .join(" → ")
          .padStart(11),
        median(rounds.map(({ beside }) => beside.longest))
          .toFixed(0)
          .padStart(11),
        `+${(grown / 2 ** 20).toFixed(0)}`.padStart(10),
        `${(100 * cost).toFixed(0)}% of a core`.padStart(16),
      ].join(" "),
    );
  }
}

interface Plan {
  readonly kind: string;
  readonly seconds: number;
  readonly connections: number;
}

interface Round {
  readonly alone: Measured;
  readonly beside: Measured;
}

async function measure(directory: string, { kind, seconds, connections }: Plan): Promise<Round[]> {
  fs.mkdirSync(directory);
  const port = await freePort();
  const config = path.join(directory, "routers.toml");
  fs.writeFileSync(path.join(directory, "accounts"), "alice\n");
  fs.writeFileSync(config, configuration(port));
  const relay = await startRelayProcess(config);
  favour(relay.pid);
  const script = fileURLToPath(new URL("strangers.ts", import.meta.url));
  const rounds: Round[] = [];
  try {
    // Code is compiled while it runs, and a relay runs for months.
    await neighbour(relay, port, 2);
    while (rounds.length < ROUNDS) {
      const alone = await neighbour(relay, port, seconds);
      const stranger = fork(script, [kind, String(port), String(connections)]);
      if (isRoot) os.setPriority(stranger.pid ?? 0, 0);
      try {
        await sleep(1000);
        rounds.push({ alone, beside: await neighbour(relay, port, seconds) });
      } finally {
        if (stranger.kill("SIGKILL")) await once(stranger, "exit");
      }
    }
    return rounds;
  } finally {
    await relay.kill("SIGKILL");
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

/** Gives the process priority over the stranger and other programs. Works for root only. */
function favour(pid: number): void {
  if (!isRoot) return;
  os.setPriority(pid, -10);
  os.setPriority(-10);
}

async function neighbour(relay: RelayProcess, port: number, seconds: number): Promise<Measured> {
  const end = performance.now() + seconds * 1000;
  const waits: number[] = [];
  let messages = 0;
  let memory = 0;
  const sampler = setInterval(() => (memory = Math.max(memory, residentOctets(relay.pid))), 50);
  using _ = { [Symbol.dispose]: () => clearInterval(sampler) };
  const before = processorSeconds(relay.pid);
  const send = async () => {
    using wire = await Wire.open(port, "127.0.0.1", NEIGHBOUR);
    const timed = async (text: string, code: string) => {
      const begun = performance.now();
      wire.send(text);
      const reply = await wire.reply();
      if (!reply.startsWith(code)) throw new Error(`the neighbour heard ${reply}`);
      waits.push(performance.now() - begun);
    };
    await wire.reply();
    await timed("EHLO neighbour.example.net\r\n", "250");
    while (performance.now() < end) {
      await timed("MAIL FROM:<carol@example.net>\r\n", "250");
      await timed("RCPT TO:<alice@example.com>\r\n", "250");
      await timed("DATA\r\n", "354");
      await timed(LETTER, "250");
      messages++;
    }
  };
  const begun = performance.now();
  await Promise.all(Array.from({ length: NEIGHBOUR_CONNECTIONS }, send));
  const lasted = (performance.now() - begun) / 1000;
  return {
    rate: messages / lasted,
    median: median(waits),
    longest: waits.reduce((longest, wait) => Math.max(longest, wait), 0),
    processor: (processorSeconds(relay.pid) - before) / lasted,
    memory,
  };
}

/** The user and system time of a process, in seconds. */
function processorSeconds(pid: number): number {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, "latin1");
  const [, , , , , , , , , , , user = NaN, system = NaN] = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  return (user + system) / 100;
}

function residentOctets(pid: number): number {
  const status = fs.readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

function configuration(port: number): string {
  return `[relay]
hostname = "mx.example.com"
spool_directory = "spool"
message_size_limit = "4M"
${tlsListener(port)}[gate]
local_domains = "example.com"
[gate.authentication]
policy = "tag"
[[routers]]
name = "accounts"
driver = "accept"
domains = "example.com"
local_parts = "lsearch:accounts"
transport = "nowhere"
[transports.nowhere]
driver = "discard"
[dns]
servers = ["127.0.0.1:9"]
`;
}

await main();
