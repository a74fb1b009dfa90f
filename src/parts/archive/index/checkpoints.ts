// Keeps the write-ahead log of the index short, in a thread: copying it into the database waits for the disk.

import { statSync } from "node:fs";
import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** Bytes of the log from which it is copied into the database. */
const LOG_MAX = 4 * 1024 * 1024;

const PROGRAM = new URL("checkpoint-thread.js", import.meta.url);
const MEMORY = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16, stackSizeMb: 1 };

export interface CheckpointReply {
  /** The log stays as it is until the next checkpoint. */
  readonly error?: string;
}

export class Checkpoints {
  readonly #file: string;
  #worker: Worker | undefined;
  #running: Promise<void> | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  /** Begins a checkpoint if the log is long. Call it after a commit. */
  check(): void {
    if (this.#running === undefined && this.#logSize() > LOG_MAX) void this.#run(false);
  }

  /** Empties the log. A reader may keep it from that; then the next call does. */
  async empty(): Promise<void> {
    await this.#running;
    if (this.#logSize() > 0) await this.#run(true);
  }

  /** Ends the thread. The database must be closed afterwards, so that its last connection removes the log. */
  async close(): Promise<void> {
    await this.#running;
    const worker = this.#worker;
    this.#worker = undefined;
    if (worker === undefined) return;
    const ended = once(worker, "exit");
    worker.ref();
    worker.postMessage("close");
    await ended;
  }

  #run(isThorough: boolean): Promise<void> {
    this.#running = this.#ask(isThorough).finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #ask(isThorough: boolean): Promise<void> {
    this.#worker ??= new Worker(PROGRAM, { workerData: this.#file, resourceLimits: MEMORY });
    const worker = this.#worker;
    worker.ref();
    worker.postMessage({ isThorough });
    try {
      await once(worker, "message");
    } catch {
      // The thread has died. The log stays, and SQLite copies it when it is next opened.
      this.#worker = undefined;
    }
    worker.unref();
  }

  #logSize(): number {
    return statSync(`${this.#file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }
}
