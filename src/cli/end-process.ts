// The end of a process of which a thread may hang: in a disk that does not answer, in a pipe that nobody reads.
// process.exit waits for every thread of libuv's pool and for every worker, without a limit.
//
// So a process with a thread that hangs ends by a signal. What was promised is on disk.

import type { Worker } from "node:worker_threads";

/** Milliseconds between two looks. */
const LOOK_INTERVAL = 20;

/** Requests that hold a thread of the pool, by their names in process.getActiveResourcesInfo. */
const POOL_REQUEST = /^(?:FSReq|FileHandleCloseReq|GetAddrInfo|GetNameInfo)/;

export type EndingSignal = "SIGINT" | "SIGKILL" | "SIGTERM";

/** The threads of this process: workers, and those of the pool. */
export class Threads {
  readonly #workers = new Set<Worker>();

  /** Knows of the workers that begin from now on. */
  constructor() {
    process.on("worker", (worker) => {
      this.#workers.add(worker);
      worker.once("exit", () => this.#workers.delete(worker));
    });
  }

  /** Stops the workers and waits for calls under way, `longest` milliseconds. False when a thread hangs. */
  async end(longest: number): Promise<boolean> {
    for (const worker of this.#workers) void worker.terminate();
    const end = performance.now() + longest;
    while (this.#workers.size > 0 || isPoolBusy()) {
      if (performance.now() >= end) return false;
      await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL));
    }
    return true;
  }
}

/** Ends the process here and now, as `signal` does by default. */
export function endBySignal(signal: EndingSignal): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

export function isPoolBusy(): boolean {
  return process.getActiveResourcesInfo().some((name) => POOL_REQUEST.test(name));
}
