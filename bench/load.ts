// The generator and the sink of the benchmark: smtp-source and smtp-sink of the Postfix package.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { RECIPIENT, SENDER } from "./contestants.ts";
import { unpack } from "../test/peers/unpacked.ts";
import { freePort } from "../test/support/relay-process.ts";

/** The messages, and how they are sent. */
export interface Load {
  readonly connections: number;
  /** The size of a message in bytes. */
  readonly size: number;
  /** Recipients of each message, as smtp-source numbers them: "1alice@bench.test". Absent: one, without a number. */
  readonly recipients?: number;
}

/** Starts a program of Postfix from the directory where it was unpacked. */
function start(program: string, args: readonly string[]): ChildProcess {
  const { tree } = unpack("postfix");
  return spawn(path.join(tree, "usr/sbin", program), args, {
    env: { ...process.env, LD_LIBRARY_PATH: path.join(tree, "usr/lib/postfix") },
    stdio: ["ignore", "pipe", "inherit"],
  });
}

export interface Sink extends AsyncDisposable {
  readonly port: number;
  /** The number of messages that the sink has accepted. */
  received(): number;
}

export async function startSink(): Promise<Sink> {
  const port = await freePort();
  const child = start("smtp-sink", ["-c", "-u", "nobody", `127.0.0.1:${port}`, "1000"]);
  let tail = "";
  let received = 0;
  child.stdout?.setEncoding("latin1").on("data", (text: string) => {
    // A running count: "sess=10 quit=9 mesg=99\r" again and again.
    tail = (tail + text).slice(-100);
    received = Number(/mesg=(\d+)\r[^\r]*$/.exec(tail)?.[1] ?? received);
  });
  await untilConnected(port, child);
  return {
    port,
    received: () => received,
    async [Symbol.asyncDispose]() {
      const ended = once(child, "exit");
      if (child.kill()) await ended;
    },
  };
}

/** Sends `count` messages, many over each connection. Resolves when all are accepted. */
export async function sendMessages(
  port: number,
  count: number,
  { connections, size, recipients = 1 }: Load,
  signal: AbortSignal,
): Promise<void> {
  const session = ["-s", String(connections), "-d"];
  const messages = ["-m", String(count), "-l", String(size)];
  const many = recipients === 1 ? [] : ["-r", String(recipients)];
  const envelope = ["-f", SENDER, "-t", RECIPIENT, ...many];
  const child = start("smtp-source", [...session, ...messages, ...envelope, `127.0.0.1:${port}`]);
  const stop = () => child.kill();
  signal.addEventListener("abort", stop);
  const [code] = await once(child, "exit");
  signal.removeEventListener("abort", stop);
  signal.throwIfAborted();
  if (code !== 0) throw new Error(`smtp-source ended with ${String(code)}`);
}

/**
 * Resolves when the port accepts a connection; it is tried every `pause` ms. Throws if the program has ended, or after
 * half a minute.
 */
export async function untilConnected(port: number, child: ChildProcess, pause = 50): Promise<void> {
  const giveUp = Date.now() + 30_000;
  while (Date.now() < giveUp) {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
    if (await canConnect(port)) return;
    await sleep(pause);
  }
  throw new Error("it did not listen within 30 s");
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.once("data", () => {
      socket.end("QUIT\r\n");
      resolve(true);
    });
    socket.once("error", () => resolve(false));
    socket.setTimeout(5000, () => socket.destroy(new Error("no greeting")));
  });
}
