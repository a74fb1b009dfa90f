// Retention by itself: a run each minute while the archive serves, and alarms about the water mark.
//
// Invariants: one run at a time. A run that fails or hangs ends nothing but itself. Each alarm is logged once, until it
// has changed.

import type { Clock, Timer } from "../../../base/clock.ts";
import { describeError, type Log } from "../../../observe/log.ts";
import { type DiskUse, diskUse, fullness } from "./disk.ts";
import type { RetentionOptions } from "./options.ts";
import { IndexBehind, type Retention } from "./retention.ts";

interface AlarmMeans {
  readonly retention: Pick<Retention, "run">;
  readonly options: RetentionOptions;
  /** The directory of the Maildirs. */
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Measures the file system. A test replaces it. */
  readonly diskUse?: (directory: string) => Promise<DiskUse>;
  /** Other work of each run, such as the directories of accounts that are gone. */
  afterRun?(): Promise<void>;
}

const EVERY = 60_000;
/** While the index is behind, in ms. */
const BEHIND_EVERY = 5000;
/** A run that takes longer waits for a file system, in ms. */
const STUCK = 600_000;
/** The ages of all mail are looked at this often, in ms: old mail may have been imported, a hold released. */
const AGES_EVERY = 3_600_000;
/** Below the mark by this much, the first alarm goes out. */
const NEAR = 0.05;

const ALL_GONE =
  "what may go by the water mark in 24 hours has gone, or the rest is young or on hold";

export class RetentionRuns {
  readonly #means: AlarmMeans;
  readonly #ended = new AbortController();
  #running: Promise<void> | undefined;
  #timer: Timer | undefined;
  /** When the ages of all mail are looked at next: by the wall clock if mail ends then, and by the monotonic clock. */
  #nextEnd = 0;
  #nextAges = 0;
  #near = false;
  /** Since when the index is behind, by the monotonic clock. */
  #behindSince: number | undefined;
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
    const { clock } = this.#means;
    this.#timer = clock.after(delay, () => {
      const watch = clock.after(STUCK, () =>
        this.#noteFailed("a run has not ended for 10 minutes"),
      );
      this.#running = this.#turn(watch);
    });
  }

  /** Never rejects. */
  async #turn(watch: Timer): Promise<void> {
    const wait = await this.#look();
    watch.cancel();
    this.#running = undefined;
    if (!this.#ended.signal.aborted) this.#later(wait);
  }

  /** Resolves to the wait before the next look, in ms. Never rejects. */
  async #look(): Promise<number> {
    try {
      const disk = await (this.#means.diskUse ?? diskUse)(this.#means.directory);
      const isDone = await this.#run(fullness(disk));
      await this.#means.afterRun?.();
      this.#failed = "";
      return isDone ? EVERY : BEHIND_EVERY;
    } catch (error) {
      this.#noteFailed(describeError(error));
      return EVERY;
    }
  }

  /** False if the index was behind. */
  async #run(full: number): Promise<boolean> {
    const { options, clock } = this.#means;
    const isOver = full > options.high_water;
    this.#noteNear(full, full > options.high_water - NEAR);
    if (!isOver) this.#noteMet(full);
    const isDue = clock.now() >= this.#nextEnd || clock.monotonic() >= this.#nextAges;
    if (!isOver && !isDue) return true;
    try {
      const isShort = await this.#delete();
      if (isOver && isShort) this.#noteMissed(full, ALL_GONE);
      this.#behindSince = undefined;
      return true;
    } catch (error) {
      const isBehind = error instanceof IndexBehind;
      this.#behindSince = isBehind ? (this.#behindSince ?? clock.monotonic()) : undefined;
      const hasPatience = isBehind && clock.monotonic() - (this.#behindSince ?? 0) < EVERY;
      if (isOver && !hasPatience) this.#noteMissed(full, describeError(error));
      if (!isBehind) throw error;
      return false;
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

  #noteFailed(error: string): void {
    if (error !== this.#failed) this.#means.log.event("archive.retention_failed", { error });
    this.#failed = error;
  }

  #noteMet(full: number): void {
    if (this.#missed !== "")
      this.#means.log.event("archive.mark_met", { percent: percentOf(full) });
    this.#missed = "";
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
