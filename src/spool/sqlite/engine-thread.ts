// The spool's thread, seen from the relay: calls go to the engine there, and answers come back.

import { Worker } from "node:worker_threads";
import type { Log } from "../../observe/log.ts";
import { SpoolError } from "../spool.ts";
import type { Answers, Call, Notice, Request, Response } from "./thread.ts";

/** Rows are short-lived, so the thread needs little memory for garbage. */
const MEMORY = { maxYoungGenerationSizeMb: 8 };

export class EngineThread {
  readonly #worker: Worker;
  readonly #answers = new Map<number, (response: Response) => void>();
  #calls = 0;

  constructor(directory: string, log: Log) {
    this.#worker = new Worker(new URL("thread.ts", import.meta.url), {
      workerData: directory,
      resourceLimits: MEMORY,
    });
    this.#worker.on("message", (response: Response | Notice) => {
      if ("salvaged" in response) return log.event("spool.salvaged", response.salvaged);
      if ("failed" in response) return log.event("spool.failed", { error: response.failed });
      const answer = this.#answers.get(response.number);
      this.#answers.delete(response.number);
      answer?.(response);
    });
  }

  /** Makes the first call. Rejects if the thread cannot open the spool. */
  begin<C extends Call>(call: C): Promise<Answers[C["name"]]> {
    return new Promise((resolve, reject) => {
      this.#worker.once("error", reject);
      const begun = this.ask(call);
      begun
        .finally(() => {
          this.#worker.off("error", reject);
          // If the thread breaks from here on, the relay must end: no promise of the spool can be kept.
          this.#worker.on("error", (error) => {
            throw new Error("the spool's thread died", { cause: error });
          });
        })
        .then(resolve, reject);
    });
  }

  /** `moved` are buffers in the call that the thread takes over. */
  ask<C extends Call>(call: C, moved: readonly ArrayBuffer[] = []): Promise<Answers[C["name"]]> {
    const number = ++this.#calls;
    const request: Request = { number, call };
    return new Promise((resolve, reject) => {
      this.#answers.set(number, (response) => {
        if ("error" in response) reject(new SpoolError(response.error, false));
        else resolve(response.answer);
      });
      this.#worker.postMessage(request, moved);
    });
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }
}
