// One run of one relay: start it, warm it up, give it the messages, stop the clock when the sink has every
// message and the Maildir every copy, check that the queue is empty, and stop all programs again.

import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import type { Contestant, Prepared } from "./contestants.ts";
import { createGroup } from "./group.ts";
import { freePort } from "../test/support/relay-process.ts";
import { type Load, type Sink, sendMessages, startSink, untilConnected } from "./load.ts";

export interface Measurement {
  readonly perSecond: number;
  /** Processor time for one message, user and system, in milliseconds. */
  readonly cpuPerMessage: number;
  /** Bytes. */
  readonly peakMemory: number;
}

export interface Size extends Load {
  readonly messages: number;
  /** Seconds. */
  readonly warmUp: number;
}

/** Messages in one piece of the warm-up. */
const PIECE = 500;

/** A directory on a disk. os.tmpdir() may be a tmpfs, where fsync costs nothing. */
const DISK = process.env["UNSEEN_BENCH_DIRECTORY"] ?? "/var/tmp";

/**
 * Makes the directory of all runs. It is removed after the last run, and not after each: ext4 passes over every inode
 * that was deleted in the last minutes, so that each relay would pay for the files of the relay before.
 */
export function makeRunsDirectory(): string {
  const made = fs.mkdtempSync(path.join(DISK, "unseen-bench-"));
  fs.chmodSync(made, 0o755);
  return made;
}

export async function measure(
  contestant: Contestant,
  runs: string,
  size: Size,
  interrupted: AbortSignal,
): Promise<Measurement> {
  await using cleanUp = new AsyncDisposableStack();
  const directory = path.join(runs, `${contestant.name}-${fs.readdirSync(runs).length + 1}`);
  fs.mkdirSync(directory);
  const sink = cleanUp.use(await startSink());
  const group = cleanUp.use(createGroup(contestant.name));
  const port = await freePort();
  const relay = contestant.prepare({ directory, port, sinkPort: sink.port });

  const child = group.start(relay.argv, path.join(directory, "stdout"));
  let complaints = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    complaints = (complaints + text).slice(-2000);
  });
  try {
    await untilConnected(port, child);
    const limit = AbortSignal.timeout(60_000 + size.warmUp * 1000 + size.messages * 50);
    const signal = AbortSignal.any([limit, interrupted]);
    let before = 0;
    for (const end = performance.now() + size.warmUp * 1000; performance.now() < end;) {
      await sendMessages(port, PIECE, size, signal);
      before += PIECE;
    }
    await untilDone(before, relay, sink, signal);
    await untilEmpty(relay, signal);

    let peakMemory = 0;
    const sampler = setInterval(() => {
      peakMemory = Math.max(peakMemory, group.memory());
    }, 1000);
    using _ = { [Symbol.dispose]: () => clearInterval(sampler) };
    const cpuBefore = group.cpuSeconds();
    const startedAt = performance.now();
    await sendMessages(port, size.messages, size, signal);
    await untilDone(before + size.messages, relay, sink, signal);
    const seconds = (performance.now() - startedAt) / 1000;
    await untilEmpty(relay, signal);
    return {
      perSecond: size.messages / seconds,
      cpuPerMessage: ((group.cpuSeconds() - cpuBefore) * 1000) / size.messages,
      peakMemory,
    };
  } catch (error) {
    interrupted.throwIfAborted();
    throw new Error(`${contestant.name} failed. It said: ${complaints.trim()}`, { cause: error });
  }
}

/** Resolves when sink and Maildir both have `count` messages; throws if one of them has more. */
async function untilDone(
  count: number,
  relay: Prepared,
  sink: Sink,
  signal: AbortSignal,
): Promise<void> {
  const copies = () => (fs.existsSync(relay.copies) ? fs.readdirSync(relay.copies).length : 0);
  try {
    while (sink.received() < count || copies() < count) await sleep(5, undefined, { signal });
  } catch (error) {
    const found = `the sink got ${sink.received()} and the Maildir ${copies()} of ${count}`;
    throw new Error(found, { cause: error });
  }
  if (sink.received() > count || copies() > count) {
    throw new Error(`the sink got ${sink.received()} and the Maildir ${copies()}, not ${count}`);
  }
}

async function untilEmpty(relay: Prepared, signal: AbortSignal): Promise<void> {
  while (!(await relay.isQueueEmpty())) await sleep(50, undefined, { signal });
}
