// Makes the HTML of messages harmless in a thread: one message at a time, each within a second.
//
// Invariant: a message that takes longer, or more memory, costs its reader the HTML, and nobody anything else.

import { Worker } from "node:worker_threads";
import type { Clock, Timer } from "../../base/clock.ts";
import type { HtmlChoices, SafeHtml } from "./safe-html.ts";

/** Milliseconds of one message, and of the start of a thread. */
const PATIENCE = 1000;
const BEGIN_TIME = 10_000;
/** Milliseconds after which an idle thread ends. */
const IDLE = 30_000;
/** Messages that may wait. */
const WAITING_MAX = 100;

const MODULE = new URL("safe-html-worker.ts", import.meta.url);
const LIMITS = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 16 };

export class SafeHtmlThread {
  readonly #clock: Clock;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #worker: { readonly thread: Worker; readonly ready: Promise<void> } | undefined;
  #idle: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Undefined if the HTML takes too long, or too many messages wait. */
  async safe(html: string, choices: HtmlChoices): Promise<SafeHtml | undefined> {
    if (this.#waiting >= WAITING_MAX) return undefined;
    this.#waiting++;
    const before = this.#last;
    const own = before.then(() => this.#work(html, choices));
    this.#last = own;
    try {
      return await own;
    } finally {
      this.#waiting--;
    }
  }

  close(): void {
    this.#idle?.cancel();
    this.#end();
  }

  /** Never rejects. */
  async #work(html: string, choices: HtmlChoices): Promise<SafeHtml | undefined> {
    this.#idle?.cancel();
    const { thread, ready } = (this.#worker ??= begun());
    const { promise, resolve } = Promise.withResolvers<SafeHtml | undefined>();
    const failed = () => {
      if (this.#worker?.thread === thread) this.#worker = undefined;
      resolve(undefined);
    };
    thread.once("error", failed).once("exit", failed);
    let timer = this.#clock.after(BEGIN_TIME, () => this.#end());
    await Promise.race([ready, promise]);
    timer.cancel();
    timer = this.#clock.after(PATIENCE, () => this.#end());
    thread.once("message", resolve);
    thread.postMessage({ html, choices });
    const result = await promise;
    timer.cancel();
    thread.off("error", failed).off("exit", failed).off("message", resolve);
    this.#idle = this.#clock.after(IDLE, () => this.#end());
    return result;
  }

  #end(): void {
    const ended = this.#worker;
    this.#worker = undefined;
    ended?.thread.on("error", () => undefined);
    void ended?.thread.terminate();
  }
}

function begun() {
  const thread = new Worker(MODULE, { resourceLimits: LIMITS });
  thread.unref();
  const ready = new Promise<void>((resolve) => thread.once("message", () => resolve()));
  return { thread, ready };
}
