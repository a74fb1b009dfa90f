// A relay as a process, faults that strace puts into its system calls while it runs, and messages that can be
// recognised: the ground of the tests of promise 1.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { processConfig } from "../support/build.ts";
import { freePort, type RelayProcess, startRelayProcess } from "../support/relay-process.ts";
import { type Sink, startSink } from "../support/sink.ts";
import { Wire } from "../support/wire.ts";
import { missing } from "./packages.ts";

const TRACER = "strace";

/** For the `skip` option of a test: false when system calls can be made to fail here, or why not. */
export function cannotTrace(): string | false {
  if (process.getuid?.() !== 0) return "needs root, to trace another process";
  return missing(TRACER);
}

/** Bytes of messages that stay in the database, and of one that gets a file. */
export const SMALL = 2000;
export const MEDIUM = 150_000;
export const LARGE = 300_000;

export interface Ground extends AsyncDisposable {
  readonly directory: string;
  readonly config: string;
  readonly port: number;
  readonly sink: Sink;
  /** One pool thread, so that the n-th call is the n-th call. */
  start(): Promise<RelayProcess>;
  /** Numbers of the messages that have reached the sink, in order; duplicates stay. */
  arrived(): number[];
  /** Numbers of the copies in the Maildir. */
  copies(): string[];
}

export interface GroundOptions {
  /** Where the spool and the Maildirs are; a new directory in /tmp when not given. */
  readonly directory?: string;
  /** Further lines of [relay]. */
  readonly relay?: string;
  /** Any free one when not given. */
  readonly sinkPort?: number | undefined;
  /** The sink answers every RCPT with 451 while this is so. */
  readonly isBusy?: () => boolean;
}

export async function prepareGround(options: GroundOptions = {}): Promise<Ground> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), "unseen-durability-")));
  const { sinkPort = 0, isBusy = () => false } = options;
  const sink = await startSink({ port: sinkPort, isBusy });
  const port = await freePort();
  const config = join(directory, "routers.toml");
  writeFileSync(join(directory, "accounts"), "alice\n");
  writeFileSync(config, configuration(port, sink.port, options.relay ?? ""));
  const running = new Set<RelayProcess>();
  const mail = join(directory, "mail", "alice", "new");
  return {
    directory,
    config,
    port,
    sink,
    async start() {
      const relay = await startRelayProcess(config, {
        UV_THREADPOOL_SIZE: "1",
        UV_USE_IO_URING: "0",
      });
      running.add(relay);
      return relay;
    },
    arrived: () => sink.messages.map(({ raw }) => numberOf(raw.toString("latin1"))),
    copies: () => readdirSync(mail),
    async [Symbol.asyncDispose]() {
      for (const relay of running) await relay.kill("SIGKILL");
      await sink.close();
      if (options.directory === undefined) rmSync(directory, { recursive: true });
    },
  };
}

/** The disk of a test may be small; what failed is tried again at once. */
function configuration(port: number, sinkPort: number, relay: string): string {
  const reserve = 'spool_reserve = "0"\nspool_reserve_inodes = 0';
  const retry = '[[retry]]\nmatch = "*"\nrules = "F,2h,1s"\n';
  return processConfig(port, sinkPort, `${reserve}\n${relay}`) + retry;
}

function compose(number: number, size: number): string {
  const line = `${"x".repeat(70)}\r\n`;
  const lines = line.repeat(Math.ceil(size / line.length));
  return `X-Number: ${number}\r\nX-Lines: ${lines.length}\r\n\r\n${lines}`;
}

/** Throws when the message is not whole. */
export function numberOf(message: string): number {
  const text = message.replaceAll(/\r?\n/g, "\r\n");
  const [, number, lines] = /^X-Number: (\d+)\r\nX-Lines: (\d+)\r\n/m.exec(text) ?? [];
  const body = text.slice(text.indexOf("\r\n\r\n") + 4);
  if (body.length !== Number(lines)) throw new Error(`message ${number} is not whole`);
  return Number(number);
}

export async function session(port: number): Promise<Wire> {
  const wire = await Wire.open(port);
  await wire.reply();
  await wire.ask("EHLO client.test");
  return wire;
}

/** The reply to the end of DATA, or the first refusal before it. */
export async function send(wire: Wire, number: number, size: number): Promise<string> {
  for (const line of ["MAIL FROM:<sender@w.test>", "RCPT TO:<alice@example.com>", "DATA"]) {
    const reply = await wire.ask(line);
    if (/^[45]/.test(reply)) return reply;
  }
  return wire.ask(`${compose(number, size)}.`);
}

export interface Trace {
  /** Detaches; the relay goes on. */
  stop(): Promise<void>;
}

/** Attaches to every thread of a process. Resolves when it has. */
export async function trace(pid: number, args: readonly string[]): Promise<Trace> {
  const child: ChildProcess = spawn(TRACER, ["-f", "-p", String(pid), ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(child, "exit");
  let said = "";
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on("data", (chunk: Buffer) => {
      said += chunk.toString("latin1");
      if (said.includes("attached")) resolve();
    });
    child.once("exit", () => reject(new Error(`strace: ${said}`)));
  });
  return {
    async stop() {
      child.kill("SIGINT");
      // strace 6.1 now and then waits for ever for a thread of a process that it has killed.
      const patience = setTimeout(() => child.kill("SIGKILL"), 2000);
      await ended;
      clearTimeout(patience);
    },
  };
}
