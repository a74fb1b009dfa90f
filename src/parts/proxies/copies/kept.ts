// What the proxies remember of the messages that they kept, in a thread of its own: a slow disk stalls no session.
//
// Invariants: one process at a time uses the directory. A thread that fails is followed by another one. Two sessions that get the same message at the same time keep it
// once: the second waits for the first.

import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { type ExclusiveLock, lockExclusively } from "../../../base/durable/exclusive-lock.ts";
import { ownDirectory } from "../../../base/durable/own-directory.ts";
import { describeError, type Log } from "../../../observe/log.ts";
import type { AccountCount, Claim } from "./kept-database.ts";

/** `Question` without its number. */
type Asked =
  | { readonly op: "claim" | "done"; readonly claim: Claim }
  | { readonly op: "release"; readonly id: string }
  | { readonly op: "counts" | "close" };

export type Question = Asked & { readonly number: number };

export interface Answer {
  readonly number: number;
  readonly answer?: boolean | AccountCount[];
  readonly error?: string;
}

export class KeptMessages {
  readonly #directory: string;
  readonly #lock: ExclusiveLock;
  readonly #log: Log;
  readonly #waiting = new Map<number, PromiseWithResolvers<Answer["answer"]>>();
  readonly #underWay = new Map<string, Promise<boolean>>();
  #number = 0;
  /** Absent after it has failed. The next question starts another one. */
  #worker: Worker | undefined;

  /** Creates the directory if it is missing. Throws if another process uses it. */
  constructor(directory: string, user: string | undefined, log: Log) {
    ownDirectory(directory, user);
    const lock = lockExclusively(join(directory, "lock"));
    if (lock === undefined) throw new Error(`another process keeps copies with ${directory}`);
    this.#directory = directory;
    this.#lock = lock;
    this.#log = log;
  }

  /**
   * Writes the message down and calls `write`, unless the message was kept before. Resolves to whether it was new.
   * Rejects if `write` rejects; then it is not kept.
   */
  async keep(claim: Claim, write: () => Promise<void>): Promise<boolean> {
    const key = `${claim.sha256} ${claim.account}`;
    for (let other = this.#underWay.get(key); other !== undefined;) {
      if (await other) return false;
      other = this.#underWay.get(key);
    }
    const kept = Promise.withResolvers<boolean>();
    this.#underWay.set(key, kept.promise);
    let isKept = false;
    try {
      const isNew = (await this.#ask({ op: "claim", claim })) === true;
      isKept = !isNew;
      if (isNew) isKept = await this.#written(claim, write);
      return isNew;
    } finally {
      this.#underWay.delete(key);
      kept.resolve(isKept);
    }
  }

  async #written(claim: Claim, write: () => Promise<void>): Promise<true> {
    try {
      await write();
    } catch (error) {
      // If this fails, the next claim for the message finds it unfinished.
      await this.#ask({ op: "release", id: claim.id }).catch((failed: unknown) =>
        this.#report(describeError(failed)),
      );
      throw error;
    }
    await this.#ask({ op: "done", claim });
    return true;
  }

  async counts(): Promise<readonly AccountCount[]> {
    const counts = await this.#ask({ op: "counts" });
    return Array.isArray(counts) ? counts : [];
  }

  async close(): Promise<void> {
    try {
      await this.#ask({ op: "close" });
    } catch (error) {
      this.#report(describeError(error));
    }
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
    this.#lock.release();
  }

  #ask(asked: Asked): Promise<Answer["answer"]> {
    const worker = (this.#worker ??= this.#start());
    const number = ++this.#number;
    const waiting = Promise.withResolvers<Answer["answer"]>();
    this.#waiting.set(number, waiting);
    worker.postMessage({ ...asked, number });
    return waiting.promise;
  }

  #start(): Worker {
    const worker = new Worker(new URL("./kept-thread.ts", import.meta.url), {
      workerData: this.#directory,
    });
    worker.on("message", (answer: Answer) => this.#answered(answer));
    worker.on("error", (error: Error) => this.#failed(worker, error));
    worker.on("exit", () => this.#failed(worker, new Error("the thread has ended")));
    return worker;
  }

  #answered({ number, answer, error }: Answer): void {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    if (error === undefined) waiting?.resolve(answer);
    else if (waiting === undefined) this.#report(error);
    else waiting.reject(new Error(error));
  }

  /** Without its thread, no question is under way. */
  #failed(worker: Worker, error: Error): void {
    if (worker !== this.#worker) return;
    this.#worker = undefined;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }

  #report(error: string): void {
    this.#log.event("relay.error", { where: "proxies: kept messages", error });
  }
}
