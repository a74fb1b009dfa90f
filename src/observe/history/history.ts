// The history: what the log said of each message and each refusal, kept for `relayctl trace`. It hangs on the log's
// own call, so the two cannot tell different stories.
//
// Invariants: mail never waits for it. What happened in one second leaves in one piece for a thread of its own; a
// crash loses that second, and a disk that is too slow loses more, which is said. Strangers cannot fill the disk
// with it: it is bounded in octets, for one message, for refusals and in all.
//
// Doors: event-keys.ts, read.ts.

import { rmSync } from "node:fs";
import { Worker } from "node:worker_threads";
import type { Clock, Timer } from "../../base/clock.ts";
import type { EventName, Events } from "../events.ts";
import type { HistoryLimits } from "./day-files.ts";
import { historyDirectory } from "./files.ts";
import { Gathering } from "./gathering.ts";
import { idsIn, isRefusal } from "./event-keys.ts";
import type { HistoryRequest, HistoryResponse } from "./thread.ts";
import { describeError, type Log } from "../log.ts";

/** How long events wait for company, in ms. */
const GATHERING = 1000;

/** What is handed over is written and forgotten at once: the thread needs no room for garbage. */
const MEMORY = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 128 };

export interface HistoryOptions extends HistoryLimits {
  readonly spoolDirectory: string;
}

export class History {
  readonly #options: HistoryOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  #gathered = new Gathering();
  #timer: Timer | undefined;
  #thread: Worker | undefined;
  #writing = false;
  /** Why the last write failed. */
  #failed: string | undefined;
  #whenWritten: (() => void) | undefined;

  /** Gathers only, until it is started. Its own troubles go to `log`. */
  constructor(options: HistoryOptions, clock: Clock, log: Log) {
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
  }

  record<Name extends EventName>(name: Name, fields: Events[Name]): void {
    const at = this.#clock.now();
    if (isRefusal(name)) this.#gathered.refusal(name, fields, at);
    else for (const id of idsIn(fields)) this.#gathered.add(id, name, fields, at);
    if (!this.#gathered.isEmpty)
      this.#timer ??= this.#clock.after(GATHERING, () => this.#handOver());
  }

  /** From here on it is written. */
  start(): void {
    const thread = new Worker(new URL("thread.ts", import.meta.url), {
      workerData: this.#options,
      resourceLimits: MEMORY,
    });
    // The history ends with the relay, and never keeps it.
    thread.unref();
    thread.on("message", ({ failed }: HistoryResponse) => {
      this.#writing = false;
      if (failed !== undefined && failed !== this.#failed)
        this.#warn(`the history was not written: ${failed}`);
      this.#failed = failed;
      this.#whenWritten?.();
      if (this.#timer === undefined && !this.#gathered.isEmpty) this.#handOver();
    });
    thread.on("error", (error: unknown) => {
      this.#thread = undefined;
      this.#writing = false;
      this.#warn(`the history ends here: ${describeError(error)}`);
      this.#whenWritten?.();
    });
    this.#thread = thread;
  }

  /** What was gathered, unless the disk is busy with what was gathered before. */
  #handOver(last = false): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#thread === undefined || this.#writing) return;
    const { lost, pieces } = this.#gathered;
    if (lost > 0) this.#warn(`${lost} events are not in the history: too slow a disk`);
    const now = this.#clock.now();
    const request: HistoryRequest = last ? { now, pieces, last } : { now, pieces };
    this.#gathered = new Gathering();
    this.#writing = true;
    this.#thread.postMessage(request);
  }

  #warn(what: string): void {
    this.#log.event("relay.warning", { what });
  }

  /** Everything that was recorded is written. */
  async close(): Promise<void> {
    while (this.#writing) await this.#written();
    this.#handOver(true);
    while (this.#writing) await this.#written();
    await this.#thread?.terminate();
  }

  #written(): Promise<void> {
    return new Promise((resolve) => (this.#whenWritten = resolve));
  }
}

/** A log that is remembered. */
export function rememberingLog(log: Log, history: History): Log {
  return {
    event(name, fields) {
      log.event(name, fields);
      history.record(name, fields);
    },
  };
}

/** What [relay] of the configuration says of it. */
interface KeptHistory {
  readonly history: number;
  readonly history_size_limit: number;
  readonly spool_reserve: number;
  readonly spool_directory: string;
}

/** Undefined when none is to be kept. Nothing on disk is touched: the process may still be root. */
export function createHistory(
  { relay }: { readonly relay: KeptHistory },
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): History | undefined {
  const { history: keep, spool_directory: spoolDirectory } = relay;
  const limits = { keep, sizeMax: relay.history_size_limit, reserve: relay.spool_reserve };
  return keep > 0 ? new History({ spoolDirectory, ...limits }, clock, log) : undefined;
}

/** Begins to write it; or, where none is to be kept, removes what there is of it. */
export function startHistory(history: History | undefined, spoolDirectory: string): void {
  if (history === undefined) {
    rmSync(historyDirectory(spoolDirectory), { recursive: true, force: true });
  } else history.start();
}
