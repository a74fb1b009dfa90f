// Retention by itself: a run each minute while the archive serves, and alarms about the water mark.
//
// Invariants: one run at a time. A run that fails or hangs ends nothing but itself. Each alarm is logged once, until it
// has changed.

import type { Clock, Timer } from "../../../base/clock.ts";
import { CommandError } from "../../../contract/exit.ts";
import { describeError, type Log } from "../../../observe/log.ts";
import { type DiskUse, diskUse, fullness } from "./disk.ts";
import type { RetentionOptions } from "./options.ts";
import type { Retention } from "./retention.ts";

interface AlarmMeans {
  readonly retention: Pick<Retention, "run">;
  readonly options: RetentionOptions;
  /** The directory of the Maildirs. */
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether the next run is to look at all ages, whatever an earlier one has found. */
  readonly diskUse?: (directory: string) => Promise<DiskUse>;
  /** Other work of each run, such as the directories of accounts that are gone. */
  afterRun?(): Promise<void>;
}

const EVERY = 60_000;
/** The ages of all mail are looked at this often, in ms: old mail may have been imported, a hold released. */
const AGES_EVERY = 3_600_000;
/** Below the mark by this much, the first alarm goes out. */
const NEAR = 0.05;

export class RetentionRuns {
  readonly #means: AlarmMeans;
  readonly #ended = new AbortController();
  #running: Promise<void> | undefined;
  #timer: Timer | undefined;
  /** When the ages of all mail are looked at next: by the wall clock if mail ends then, and by the monotonic clock. */
  #nextEnd = 0;
  #nextAges = 0;
  #near = false;
  #missed = "";
  #failed = "";

  constructor(means: AlarmMeans) {
    this.#means = means;
  }

  start(): void {
    this.#later(0);
  }

  /** Resolves when the step under way is on disk. */
  async close(): Promise<void> {
    this.#ended.abort();
    this.#timer?.cancel();
    await this.#running;
  }

  #later(delay: number): void {
    this.#timer = this.#means.clock.after(delay, () => {
      this.#running = this.#turn().finally(() => {
        this.#running = undefined;
        if (!this.#ended.signal.aborted) this.#later(EVERY);
      });
    });
  }

  /** Never rejects. */
  async #turn(): Promise<void> {
    const { log, directory } = this.#means;
    try {
      const disk = await (this.#means.diskUse ?? diskUse)(directory);
      await this.#run(fullness(disk));
      await this.#means.afterRun?.();
      this.#failed = "";
    } catch (error) {
      const text = describeError(error);
      if (text !== this.#failed) log.event("archive.retention_failed", { error: text });
      this.#failed = text;
    }
  }

  async #run(full: number): Promise<void> {
    const { options, clock } = this.#means;
    const isOver = full > options.high_water;
    this.#noteNear(full, full > options.high_water - NEAR);
    const isDue = clock.now() >= this.#nextEnd || clock.monotonic() >= this.#nextAges;
    if (!isOver && this.#missed !== "") {
      this.#missed = "";
      this.#means.log.event("archive.mark_met", { percent: percentOf(full) });
    }
    if (!isOver && !isDue) return;
    try {
      const isShort = await this.#delete();
      if (isOver && isShort) {
        this.#noteMissed(
          full,
          "what may go by the water mark in 24 hours has gone, or the rest is young or on hold",
        );
      }
    } catch (error) {
      if (isOver) this.#noteMissed(full, describeError(error));
      // An index that is behind is no failure: it catches up.
      if (!(error instanceof CommandError)) throw error;
      if (!isOver && error.message !== this.#failed) throw error;
    }
  }

  async #delete(): Promise<boolean> {
    const { retention, log, clock } = this.#means;
    const result = { deleted: 0, octets: 0, isShort: false, nextEnd: Infinity };
    try {
      for await (const { what, message } of retention.run(false, this.#ended.signal, result)) {
        const { account, folder, name } = message;
        if (what === "changed") log.event("archive.unfit", { account, folder, name });
      }
      this.#nextEnd = result.nextEnd;
      this.#nextAges = clock.monotonic() + AGES_EVERY;
      return result.isShort;
    } finally {
      const { deleted, octets } = result;
      if (deleted > 0) log.event("archive.retained", { messages: deleted, bytes: octets });
    }
  }

  #noteNear(full: number, isNear: boolean): void {
    if (isNear && !this.#near)
      this.#means.log.event("archive.mark_near", { percent: percentOf(full) });
    this.#near = isNear;
  }

  #noteMissed(full: number, why: string): void {
    if (why !== this.#missed) {
      this.#means.log.event("archive.mark_missed", { percent: percentOf(full), why });
    }
    this.#missed = why;
  }
}

function percentOf(part: number): number {
  return Math.round(part * 1000) / 10;
}
