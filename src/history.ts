// The history: what the log said of each message and each refusal, kept for `relayctl trace`. It hangs on the log's
// own call, so the two cannot tell different stories.
//
// Invariants: mail never waits for it. What happened in one second leaves in one piece for a thread of its own; a
// crash loses that second, and a disk that is too slow loses more, which is said. Strangers cannot fill the disk
// with it: of refusals only so many a second are kept.

import { rmSync } from "node:fs";
import { Worker } from "node:worker_threads";
import type { Configuration } from "./config/configuration.ts";
import type { Clock, Timer } from "./clock.ts";
import type { EventName, Events } from "./events.ts";
import { historyDirectory } from "./history/days.ts";
import type { HistoryRequest, HistoryResponse } from "./history/thread.ts";
import type { Piece } from "./history/pieces.ts";
import { addressesIn, idsIn, isRefusal } from "./history/pieces.ts";
import { describeError, type Log } from "./log.ts";

/** How long events wait for company, in ms. */
const GATHERING = 1000;
/** Pieces that may wait for a slow disk. */
const WAITING_MAX = 20_000;
/** Refusals that are kept of one second. */
const REFUSALS_MAX = 20;

/** What is handed over is written and forgotten at once: the thread needs no room for garbage. */
const MEMORY = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 128 };

export interface HistoryOptions {
  readonly spoolDirectory: string;
  /** How long it is kept, in ms. */
  readonly keep: number;
}

interface Gathered extends Piece {
  events: string;
  readonly addresses: string[];
}

export class History {
  readonly #options: HistoryOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  #gathered = new Map<string, Gathered>();
  #refusals = 0;
  #lost = 0;
  #timer: Timer | undefined;
  #thread: Worker | undefined;
  #writing = false;
  #whenWritten: (() => void) | undefined;

  /** Gathers only, until it is started. Its own troubles go to `log`. */
  constructor(options: HistoryOptions, clock: Clock, log: Log) {
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
  }

  record<Name extends EventName>(name: Name, fields: Events[Name]): void {
    if (isRefusal(name)) {
      if (this.#refusals++ < REFUSALS_MAX) this.#gather(`-${this.#refusals}`, name, fields);
      return;
    }
    for (const id of idsIn(fields)) this.#gather(id, name, fields);
  }

  #gather(key: string, name: EventName, fields: Events[EventName]): void {
    const at = this.#clock.now();
    const text = JSON.stringify([at, name, "ids" in fields ? { action: fields.action } : fields]);
    const known = this.#gathered.get(key);
    if (known !== undefined) {
      known.events = `${known.events},${text}`;
      addressesIn(fields, known.addresses);
    } else if (this.#gathered.size < WAITING_MAX) {
      const addresses: string[] = [];
      addressesIn(fields, addresses);
      this.#gathered.set(key, { key, at, events: text, addresses });
    } else {
      this.#lost++;
    }
    this.#timer ??= this.#clock.after(GATHERING, () => this.#handOver());
  }

  /** From here on it is written. */
  start(): void {
    const thread = new Worker(new URL("history/thread.ts", import.meta.url), {
      workerData: this.#options,
      resourceLimits: MEMORY,
    });
    // The history ends with the relay, and never keeps it.
    thread.unref();
    thread.on("message", ({ failed }: HistoryResponse) => {
      this.#writing = false;
      if (failed !== undefined) this.#warn(`the history was not written: ${failed}`);
      this.#whenWritten?.();
      if (this.#timer === undefined && this.#gathered.size > 0) this.#handOver();
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
    if (this.#lost > 0) this.#warn(`${this.#lost} events are not in the history: too slow a disk`);
    const pieces = [...this.#gathered.values()];
    const now = this.#clock.now();
    const request: HistoryRequest = last ? { now, pieces, last } : { now, pieces };
    this.#gathered = new Map();
    this.#refusals = 0;
    this.#lost = 0;
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
export function remembered(log: Log, history: History): Log {
  return {
    event(name, fields) {
      log.event(name, fields);
      history.record(name, fields);
    },
  };
}

/** Undefined when none is to be kept: then what there is of it goes too. */
export function createHistory(
  { relay }: Configuration,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): History | undefined {
  const { history: keep, spool_directory: spoolDirectory } = relay;
  if (keep > 0) return new History({ spoolDirectory, keep }, clock, log);
  rmSync(historyDirectory(spoolDirectory), { recursive: true, force: true });
  return undefined;
}
