// Ends a process in which a thread may hang: on a disk that does not answer, or a pipe without a reader. process.exit
// waits for every thread of libuv's pool and for every worker, without a limit.
//
// So a process with a hanging thread ends by a signal. Accepted mail is on disk by then.

import type { Worker } from "node:worker_threads";

/** Milliseconds between two checks. */
const LOOK_INTERVAL = 20;

/** Requests that hold a thread of the pool, by their names in process.getActiveResourcesInfo. */
const POOL_REQUEST = /^(?:FSReq|FileHandleCloseReq|GetAddrInfo|GetNameInfo)/;

export type EndingSignal = "SIGINT" | "SIGKILL" | "SIGTERM";

/** The threads of this process: workers, and those of the pool. */
export class Threads {
  readonly #workers = new Set<Worker>();

  /** Counts workers that start from now on. */
  constructor() {
    process.on("worker", (worker) => {
      this.#workers.add(worker);
      worker.once("exit", () => this.#workers.delete(worker));
    });
  }

  /**
   * Stops the workers and waits up to `longest` milliseconds for calls under way. Resolves to false when a thread
   * hangs.
   */
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

/** Ends the process at once, as `signal` does by default. */
export function endBySignal(signal: EndingSignal): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

export function isPoolBusy(): boolean {
  return process.getActiveResourcesInfo().some((name) => POOL_REQUEST.test(name));
}
