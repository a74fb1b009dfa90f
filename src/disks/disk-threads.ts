// A thread that makes system calls for Maildirs, seen from the main thread.

import type { DiskError, DiskReply } from "./disk-request.ts";
import type { Executor, Executors } from "./executors.ts";
import type { Job, Lane } from "./lane.ts";

export class DiskThread {
  /** The lane whose calls it makes; undefined while the thread is idle. */
  lane: Lane | undefined;
  /** The batch without an answer yet. */
  jobs: readonly Job[] = [];
  /** The number of failed syncs of directories in its lane when the batch began. */
  failures = 0;
  /** The number of the look (see lanes.ts) at which its current call began. */
  look = 0;
  state: "running" | "slow" | "hung" = "running";
  #progress = 0;
  readonly #executor: Executor;

  constructor(
    executors: Executors,
    onAnswer: (thread: DiskThread, jobs: readonly Job[], replies: readonly DiskReply[]) => void,
    onEnd: (thread: DiskThread, error: unknown) => void,
  ) {
    this.#executor = executors.start(
      (reply) => {
        if ("names" in reply) {
          // A request for names is a batch of its own.
          this.jobs[0]?.onNames?.(reply.names);
          return;
        }
        const { jobs } = this;
        this.jobs = [];
        onAnswer(this, jobs, reply.all);
      },
      (error) => onEnd(this, error),
    );
  }

  post(jobs: readonly Job[]): void {
    this.jobs = jobs;
    this.#executor.post(jobs.map(({ request }) => request));
  }

  /** Whether a call has returned since the last call of goesOn. */
  goesOn(): boolean {
    const before = this.#progress;
    this.#progress = this.#executor.progress();
    return this.#progress !== before;
  }

  close(): void {
    this.#executor.close();
  }
}

/** The error, as node:fs would throw it. */
export function errorOf({ message, ...codes }: DiskError): Error {
  return Object.assign(new Error(message), codes);
}
