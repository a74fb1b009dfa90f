// Looks at directories and files in a thread, one request after the other. The Maildirs may lie on a network: a thread
// whose file system hangs is left behind, and the next request gets a new one.
//
// Invariants: every request ends, at the latest after HANG ms. At most THREADS_MAX threads hang at a time; while they do,
// every request fails at once.

import { Worker } from "node:worker_threads";
import type { Clock } from "../../../base/clock.ts";

/** Undefined: there is nothing at the path. A link is "other": it is never followed. */
export type Look =
  | {
      readonly kind: "file" | "directory" | "other";
      /** ms since the epoch. */
      readonly mtime: number;
      readonly ctime: number;
      readonly size: number;
    }
  | { readonly kind: "unreadable"; readonly message: string }
  | undefined;

export interface LookError {
  readonly message: string;
  readonly code?: string;
}

export type LookRequest =
  | { readonly op: "look"; readonly paths: readonly string[] }
  /** Opens a directory, and returns its first names. */
  | { readonly op: "open"; readonly path: string }
  | { readonly op: "next" };

export type LookReply =
  | { readonly looks: readonly Look[] }
  | { readonly names: readonly string[]; readonly isLast: boolean }
  | { readonly error: LookError };

/** The file system has not answered within HANG ms. */
export class LookHangs extends Error {}

/** The longest wait for an answer, in ms. */
const HANG = 20_000;

const THREADS_MAX = 4;

const PROGRAM = new URL("look-thread.js", import.meta.url);
const MEMORY = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 64, stackSizeMb: 1 };

export class Looks {
  readonly #clock: Clock;
  #thread: LookThread | undefined;
  #hung = 0;
  /** The end of the last request, and of the last listing. */
  #last: Promise<unknown> = Promise.resolve();
  #listed: Promise<unknown> = Promise.resolve();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Rejects with LookHangs. */
  async look(paths: readonly string[]): Promise<readonly Look[]> {
    if (paths.length === 0) return [];
    const reply = await this.#ask({ op: "look", paths });
    return "looks" in reply ? reply.looks : [];
  }

  /**
   * The names in a directory, some hundreds at a time. Rejects with LookHangs, or with the error of the system and its
   * code. One directory is listed at a time.
   */
  async *names(path: string): AsyncGenerator<readonly string[], void> {
    const turn = Promise.withResolvers<void>();
    const before = this.#listed;
    this.#listed = turn.promise;
    try {
      await before;
      let reply = await this.#ask({ op: "open", path });
      while ("names" in reply) {
        yield reply.names;
        if (reply.isLast) return;
        reply = await this.#ask({ op: "next" });
      }
    } finally {
      turn.resolve();
    }
  }

  close(): void {
    this.#thread?.end();
    this.#thread = undefined;
  }

  #ask(request: LookRequest): Promise<LookReply> {
    const reply = this.#last.then(() => this.#answer(request));
    this.#last = reply.catch(() => undefined);
    return reply;
  }

  async #answer(request: LookRequest): Promise<LookReply> {
    if (this.#hung >= THREADS_MAX) throw new LookHangs("the file system does not answer");
    this.#thread ??= new LookThread(() => void (this.#thread = undefined));
    const thread = this.#thread;
    const { promise, resolve } = Promise.withResolvers<"late">();
    const timer = this.#clock.after(HANG, () => resolve("late"));
    const asked = thread.ask(request);
    const reply = await Promise.race([asked, promise]).finally(() => timer.cancel());
    if (reply === "late") {
      this.#leave(thread, asked);
      throw new LookHangs("the file system does not answer");
    }
    if ("error" in reply) throw Object.assign(new Error(reply.error.message), reply.error);
    return reply;
  }

  #leave(thread: LookThread, asked: Promise<unknown>): void {
    this.#thread = undefined;
    this.#hung += 1;
    const answered = () => {
      this.#hung -= 1;
      thread.end();
    };
    asked.then(answered, answered);
  }
}

class LookThread {
  readonly #worker = new Worker(PROGRAM, { resourceLimits: MEMORY });
  #waiting: PromiseWithResolvers<LookReply> | undefined;

  /** `onEnd` is called when the thread can take no more requests. */
  constructor(onEnd: () => void) {
    this.#worker.unref();
    this.#worker.on("message", (reply: LookReply) => this.#settle((wait) => wait.resolve(reply)));
    this.#worker.on("error", (error) => {
      onEnd();
      this.#settle((wait) => wait.reject(error));
    });
  }

  ask(request: LookRequest): Promise<LookReply> {
    this.#waiting = Promise.withResolvers();
    this.#worker.ref();
    this.#worker.postMessage(request);
    return this.#waiting.promise;
  }

  end(): void {
    void this.#worker.terminate();
  }

  #settle(by: (waiting: PromiseWithResolvers<LookReply>) => void): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#worker.unref();
    if (waiting !== undefined) by(waiting);
  }
}
