// `npm run bench:growth`: measures how the processor time of a message grows with what grows in real life. All cases of
// a curve run at once and get their messages in turns, so that a busy machine slows all of them. Work and sink are
// those of `npm run bench`. It needs root, Linux, control groups, and apt-get for the sink.

import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

import { describeError } from "../src/observe/log.ts";
import { accountRouters, RECEIVED_COPIES } from "../test/support/build.ts";
import { freePort } from "../test/support/relay-process.ts";
import { type ControlGroup, createGroup } from "./group.ts";
import { type Load, sendMessages, type Sink, startSink, untilConnected } from "./load.ts";
import { makeRunsDirectory } from "./measure.ts";

const USAGE = `usage: npm run bench:growth -- [--rounds N] [--piece N] [--only CURVE]...
  --rounds  pieces of work of each case, in turns (12)
  --piece   messages in a piece (300)
  --only    this curve only: connections, recipients, accounts, networks, idle; may be given again`;

const MAIN = path.join(import.meta.dirname, "../src/main.ts");

/** One point of a curve. */
interface Case {
  readonly name: string;
  readonly accounts?: number;
  /** Networks in the hosts of a relay rule. */
  readonly networks?: number;
  readonly connections?: number;
  /** Recipients of each message, all with the same Maildir. */
  readonly recipients?: number;
  /** Connections of clients that say nothing. */
  readonly idle?: number;
}

const CURVES: Readonly<Record<string, readonly Case[]>> = {
  connections: [
    { name: "20 connections", connections: 20 },
    { name: "4 connections", connections: 4 },
    { name: "200 connections", connections: 200 },
    { name: "1000 connections", connections: 1000 },
  ],
  recipients: [
    { name: "1 recipient", recipients: 1 },
    { name: "100 recipients, one Maildir", recipients: 100 },
  ],
  accounts: [
    { name: "200 accounts", accounts: 200 },
    { name: "100 000 accounts", accounts: 100_000 },
  ],
  networks: [
    { name: "1 network in a relay rule", networks: 1 },
    { name: "10 000 networks", networks: 10_000 },
  ],
  idle: [
    { name: "no idle connection", idle: 0 },
    { name: "10 000 idle connections", idle: 10_000 },
  ],
};

interface Running {
  readonly one: Case;
  readonly group: ControlGroup;
  readonly sink: Sink;
  readonly port: number;
  readonly copies: string;
  readonly load: Load & { readonly recipients?: number };
  sent: number;
  /** Milliseconds of processor time for one message, by rounds. */
  readonly costs: number[];
}

function configuration(one: Case, port: number, sinkPort: number): string {
  const networks = Array.from(
    { length: one.networks ?? 1 },
    (_, index) => `"10.${index >> 8}.${index & 255}.0/24"`,
  );
  return `[relay]
hostname = "mx.bench.test"
spool_directory = "spool"
connections_max = 12000
connections_per_client_max = 12000
connections_per_network_max = 12000
[[listeners]]
address = "127.0.0.1:${port}"
tls = "none"
[domains]
ours = ["bench.test"]
[gate]
local_domains = "+ours"
[[gate.relay]]
hosts = [${networks.join(", ")}]
sender_domains = "*"
${accountRouters("accounts")}[transports.gmail]
driver = "smtp"
hosts = ["127.0.0.1:${sinkPort}"]
tls = "none"
${RECEIVED_COPIES}`;
}

/** smtp-source gives its recipients numbers: "1alice@bench.test". All of them are alice's. */
function accountsOf({ accounts = 1, recipients = 1 }: Case): string {
  const lines = ["alice"];
  for (let index = 1; index < accounts; index++) lines.push(`user${index}`);
  for (let index = 0; index <= recipients; index++) lines.push(`${index}alice: alice`);
  return `${lines.join("\n")}\n`;
}

async function start(one: Case, runs: string, cleanUp: AsyncDisposableStack): Promise<Running> {
  const directory = path.join(runs, one.name.replaceAll(" ", "-"));
  fs.mkdirSync(directory);
  const sink = cleanUp.use(await startSink());
  const group = cleanUp.use(createGroup(path.basename(directory)));
  const port = await freePort();
  const config = path.join(directory, "routers.toml");
  fs.writeFileSync(path.join(directory, "accounts"), accountsOf(one));
  fs.writeFileSync(config, configuration(one, port, sink.port));
  const argv = ["env", "MALLOC_TRIM_THRESHOLD_=131072", process.execPath, MAIN];
  const child = group.start([...argv, "serve", "--config", config], path.join(directory, "log"));
  await untilConnected(port, child);
  const { connections = 20, recipients } = one;
  return {
    one,
    group,
    sink,
    port,
    copies: path.join(directory, "mail/bench.test/alice/new"),
    load: { connections, size: 4096, ...(recipients === undefined ? {} : { recipients }) },
    sent: 0,
    costs: [],
  };
}

async function send(running: Running, count: number, signal: AbortSignal): Promise<void> {
  await sendMessages(running.port, count, running.load, signal);
  running.sent += count;
  const copies = () => (fs.existsSync(running.copies) ? fs.readdirSync(running.copies).length : 0);
  while (running.sink.received() < running.sent || copies() < running.sent) {
    await sleep(5, undefined, { signal });
  }
  const made = Math.max(copies(), running.sink.received());
  if (made > running.sent) throw new Error(`${made} messages for ${running.sent}`);
}

/** Milliseconds of the same work before the first measured piece, for each case. */
const WARM_UP = 8000;

async function measureCurve(cases: readonly Case[], rounds: number, piece: number, runs: string) {
  await using cleanUp = new AsyncDisposableStack();
  const signal = AbortSignal.timeout(3_600_000);
  const all: Running[] = [];
  for (const one of cases) all.push(await start(one, runs, cleanUp));
  for (const running of all) {
    if (running.one.idle !== undefined) await openIdle(running.port, running.one.idle, cleanUp);
  }
  const warm = performance.now() + WARM_UP * all.length;
  while (performance.now() < warm) for (const running of all) await send(running, piece, signal);
  for (let round = 0; round < rounds; round++) {
    for (const running of round % 2 === 0 ? all : all.toReversed()) {
      const before = running.group.cpuSeconds();
      await send(running, piece, signal);
      running.costs.push(((running.group.cpuSeconds() - before) * 1000) / piece);
    }
  }
  const [first] = all;
  for (const { one, costs, group } of all) {
    const ratios = costs.map((cost, index) => cost / (first?.costs[index] ?? cost));
    console.log(
      `  ${one.name.padEnd(30)} ${median(costs).toFixed(2).padStart(6)} ms  ` +
        `x${median(ratios).toFixed(2).padEnd(6)} ${(group.memory() / 2 ** 20).toFixed(0)} MB`,
    );
  }
}

/** Opens connections that say nothing after EHLO. */
async function openIdle(port: number, count: number, cleanUp: AsyncDisposableStack): Promise<void> {
  const sockets: net.Socket[] = [];
  cleanUp.defer(() => sockets.forEach((socket) => socket.destroy()));
  for (let index = 0; index < count; index++) {
    const socket = net.connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    sockets.push(socket);
    await once(socket, "data");
    socket.write("EHLO idle.test\r\n");
    socket.resume();
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "12" },
      piece: { type: "string", default: "300" },
      only: { type: "string", multiple: true, default: Object.keys(CURVES) },
      help: { type: "boolean", default: false },
    },
  });
  const [rounds, piece] = [Number(values.rounds), Number(values.piece)];
  const isUnderstood = rounds > 0 && piece > 0 && values.only.every((name) => name in CURVES);
  if (values.help || !isUnderstood) {
    console.log(USAGE);
    process.exitCode = values.help ? 0 : 64;
    return;
  }
  console.log("processor time of the relay for a message, against the first line; memory (PSS)");
  for (const name of values.only) {
    const runs = makeRunsDirectory();
    try {
      console.log(`\n${name}`);
      await measureCurve(CURVES[name] ?? [], rounds, piece, runs);
    } finally {
      fs.rmSync(runs, { recursive: true, force: true });
    }
  }
}

try {
  await main();
} catch (error) {
  console.error(describeError(error));
  process.exitCode = 1;
}
