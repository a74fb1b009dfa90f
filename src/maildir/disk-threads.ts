// The threads that make system calls for Maildirs, as the others see them.

import type { DiskError, DiskReply } from "./disk-request.ts";
import type { Executor, Executors } from "./executors.ts";
import type { Job, Lane } from "./lane.ts";

export class DiskThread {
  /** Whose calls it makes; undefined when it has nothing to do. */
  lane: Lane | undefined;
  /** The batch that it has not answered. */
  jobs: readonly Job[] = [];
  /** Syncs of directories that had failed in its lane when it began. */
  failures = 0;
  /** Looks, of all threads, before its call was begun. */
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
          // Names are asked for alone.
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

  /** Whether a call has returned since the last time that this was asked. */
  goesOn(): boolean {
    const before = this.#progress;
    this.#progress = this.#executor.progress();
    return this.#progress !== before;
  }

  close(): void {
    this.#executor.close();
  }
}

/** As node:fs gives it. */
export function errorOf({ message, ...codes }: DiskError): Error {
  return Object.assign(new Error(message), codes);
}
