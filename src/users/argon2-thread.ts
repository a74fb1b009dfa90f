// Judges passwords in one thread of its own, which starts with the first login.
//
// Invariant: one password is judged at a time. In the thread pool, where file calls run too, each thread would keep
// some 30 MB of memory after its first hash. Here it is the memory of one hash, and one processor.

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Argon2Hash } from "./argon2.ts";
import type { Question } from "./argon2-worker.ts";

export class Argon2Thread {
  #worker: Worker | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /** Whether the password is that of the hash. Rejects if the thread fails; the next call starts another one. */
  isOf(hash: Argon2Hash, password: string): Promise<boolean> {
    const judged = this.#last.then(() => this.#ask({ hash, password }));
    this.#last = judged.catch(() => undefined);
    return judged;
  }

  async #ask(question: Question): Promise<boolean> {
    const worker = (this.#worker ??= this.#start());
    worker.ref();
    worker.postMessage(question);
    try {
      const [answer]: unknown[] = await once(worker, "message");
      return answer === true;
    } catch (error) {
      this.#worker = undefined;
      throw error;
    } finally {
      worker.unref();
    }
  }

  #start(): Worker {
    const worker = new Worker(new URL("./argon2-worker.ts", import.meta.url));
    // `once` rejects at an error; without a question under way there is nobody to tell.
    worker.on("error", () => (this.#worker = undefined));
    return worker;
  }
}
