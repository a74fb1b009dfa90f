// The history: the log events of each message and each refusal, kept for `relayctl trace`. It records in the same call as
// the log, so the two cannot differ.
//
// Invariants:
//
// - Mail never waits for the history. The events of one second, or of some messages, are handed to a separate thread
//   together. A crash loses that second. If the disk is too slow, more events are lost and the log says so.
// - Clients cannot fill the disk with it: its octets are bounded for each message, for refusals and in all.
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

/** Milliseconds for which events are collected before they are written. */
const GATHERING = 1000;
/**
 * Number of messages whose events are handed over together. With more, the events would outlive the heap's young
 * generation, and V8 would collect its old one twice as often.
 */
const GATHERED_MAX = 64;

/** The thread writes what it is given and forgets it at once, so it needs little memory. */
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
  /** The reason why the last write failed. */
  #failed: string | undefined;
  #whenWritten: (() => void) | undefined;

  /** Only collects events until `start`. Problems of the history itself go to `log`. */
  constructor(options: HistoryOptions, clock: Clock, log: Log) {
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
  }

  record<Name extends EventName>(name: Name, fields: Events[Name]): void {
    const at = this.#clock.now();
    if (isRefusal(name)) this.#gathered.refusal(name, fields, at);
    else for (const id of idsIn(fields)) this.#gathered.add(id, name, fields, at);
    if (this.#gathered.isEmpty) return;
    this.#timer ??= this.#clock.after(GATHERING, () => this.#onSecond());
    if (this.#gathered.size >= GATHERED_MAX) this.#handOver(this.#gathered.refusals);
  }

  /** Starts the thread that writes the events. */
  start(): void {
    const thread = new Worker(new URL("thread.ts", import.meta.url), {
      workerData: this.#options,
      resourceLimits: MEMORY,
    });
    // The thread ends with the relay, and never keeps the relay running.
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

  #onSecond(): void {
    this.#timer = undefined;
    this.#handOver();
  }

  /**
   * Hands the collected events to the thread, unless it is still writing the last ones. `refusals` is the number of
   * refusals that count for the second that has begun.
   */
  #handOver(refusals = 0, last = false): void {
    if (this.#thread === undefined || this.#writing) return;
    const { lost, pieces } = this.#gathered;
    if (lost > 0) this.#warn(`${lost} events are not in the history: too slow a disk`);
    const now = this.#clock.now();
    const request: HistoryRequest = last ? { now, pieces, last } : { now, pieces };
    this.#gathered = new Gathering(refusals);
    this.#writing = true;
    this.#thread.postMessage(request);
  }

  #warn(what: string): void {
    this.#log.event("relay.warning", { what });
  }

  /** Resolves when everything that was recorded has been written. */
  async close(): Promise<void> {
    while (this.#writing) await this.#written();
    this.#timer?.cancel();
    this.#handOver(0, true);
    while (this.#writing) await this.#written();
    await this.#thread?.terminate();
  }

  #written(): Promise<void> {
    return new Promise((resolve) => (this.#whenWritten = resolve));
  }
}

/** A log that also records every event in the history. */
export function rememberingLog(log: Log, history: History): Log {
  return {
    event(name, fields) {
      log.event(name, fields);
      history.record(name, fields);
    },
  };
}

/** The options of [relay] that concern the history. */
interface KeptHistory {
  readonly history: number;
  readonly history_size_limit: number;
  readonly spool_reserve: number;
  readonly spool_directory: string;
}

/** Undefined when no history is kept. Does not touch the disk: the process may still be root. */
export function createHistory(
  { relay }: { readonly relay: KeptHistory },
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): History | undefined {
  const { history: keep, spool_directory: spoolDirectory } = relay;
  const limits = { keep, sizeMax: relay.history_size_limit, reserve: relay.spool_reserve };
  return keep > 0 ? new History({ spoolDirectory, ...limits }, clock, log) : undefined;
}

/** Starts writing the history. When none is kept, removes an existing one. */
export function startHistory(history: History | undefined, spoolDirectory: string): void {
  if (history === undefined) {
    rmSync(historyDirectory(spoolDirectory), { recursive: true, force: true });
  } else history.start();
}
