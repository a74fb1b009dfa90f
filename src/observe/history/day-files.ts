// The files of the history: one SQLite database for each day, so that old history is removed as a file instead of row
// by row. The name is history/2026-11-22.sqlite, by UTC. A day with more events continues in 2026-11-22.1.sqlite.
//
// Invariants:
//
// - An event is in a file of the day on which it was written.
// - All files together stay below a bound. The oldest are removed first. The history never takes disk space that the
//   queue needs.
// - Refusals, which cost a client nothing, may take a quarter of each file.
// - Nothing in the history is needed to deliver mail. Damaged files are removed, and a power cut may cost the last
//   seconds.

import { mkdirSync, statfsSync } from "node:fs";
import { isDamage } from "../../base/durable/database.ts";
import { DayWriter } from "./day-writer.ts";
import { dateOf, daysIn, historyDirectory, partOf, removeDay, sizeOf } from "./files.ts";
import type { Piece } from "./event-keys.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** The bound is divided by this number of files, so that the oldest file is a small part of the history. */
const PARTS = 8;
/**
 * Milliseconds. If the clock is further ahead of the last day than this, it may be wrong. Then nothing is removed as
 * too old for an hour.
 */
const JUMP = 2 * DAY;

export interface HistoryLimits {
  /** Milliseconds for which events are remembered. */
  readonly keep: number;
  /** Octets of all files together. */
  readonly sizeMax: number;
  /** Octets that stay free on the disk. */
  readonly reserve: number;
}

interface Means {
  /** Octets that are free on the file system of this directory. */
  readonly free: (directory: string) => number;
  readonly monotonic: () => number;
}

const systemMeans: Means = {
  free(directory) {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  },
  monotonic: () => performance.now(),
};

export class HistoryDays {
  readonly #directory: string;
  readonly #limits: HistoryLimits;
  readonly #means: Means;
  readonly #partMax: number;
  #writer: DayWriter | undefined;
  /** The time, by the monotonic clock, at which days that are too old are removed. */
  #pruneAt = Number.POSITIVE_INFINITY;

  /** A file is created only when there is something to write. */
  constructor(spoolDirectory: string, limits: HistoryLimits, means = systemMeans) {
    this.#directory = historyDirectory(spoolDirectory);
    this.#limits = limits;
    this.#means = means;
    this.#partMax = limits.sizeMax / PARTS;
  }

  /** Throws when the pieces cannot be written. Some of them may have been written then. */
  write(pieces: readonly Piece[], now: number): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    this.#makeRoom();
    for (let from = 0; from < pieces.length;) {
      const writer = this.#open(now);
      try {
        from += writer.write(pieces, from);
      } catch (error) {
        if (isDamage(error)) this.#throwAway();
        throw error;
      }
      if (writer.size >= this.#partMax) this.close();
    }
    if (this.#means.monotonic() >= this.#pruneAt) this.#prune(now);
  }

  /** The queue needs the disk more than the history does: the oldest days are removed until `reserve` is free. */
  #makeRoom(): void {
    const { reserve } = this.#limits;
    for (const name of daysIn(this.#directory)) {
      if (this.#means.free(this.#directory) >= reserve) return;
      if (name !== this.#writer?.name) removeDay(this.#directory, name);
    }
    if (this.#means.free(this.#directory) < reserve) throw new Error("the disk is nearly full");
  }

  #open(now: number): DayWriter {
    const date = new Date(now).toISOString().slice(0, 10);
    if (this.#writer !== undefined && dateOf(this.#writer.name) === date) return this.#writer;
    this.close();
    const names = daysIn(this.#directory);
    const last = names.findLast((name) => dateOf(name) === date);
    if (last === undefined) this.#pruneSoon(names, now);
    const isFull = last !== undefined && sizeOf(this.#directory, last) >= this.#partMax;
    const name = isFull ? `${date}.${partOf(last) + 1}` : (last ?? date);
    // Leaves room for the new file, for its log, and for the octets by which one transaction may exceed the limit.
    this.#shrinkTo(this.#limits.sizeMax - 2 * this.#partMax, name);
    return (this.#writer = this.#opened(name));
  }

  #opened(name: string): DayWriter {
    const make = () => new DayWriter(this.#directory, name, this.#partMax);
    try {
      return make();
    } catch (error) {
      if (!isDamage(error)) throw error;
      removeDay(this.#directory, name);
      return make();
    }
  }

  #throwAway(): void {
    const name = this.#writer?.name;
    this.close();
    if (name !== undefined) removeDay(this.#directory, name);
  }

  #shrinkTo(sizeMax: number, except: string): void {
    const names = daysIn(this.#directory).filter((name) => name !== except);
    let size = names.reduce((sum, name) => sum + sizeOf(this.#directory, name), 0);
    for (const name of names) {
      if (size <= sizeMax) return;
      size -= sizeOf(this.#directory, name);
      removeDay(this.#directory, name);
    }
  }

  #pruneSoon(names: readonly string[], now: number): void {
    const before = names.findLast((name) => Date.parse(dateOf(name)) <= now);
    const isJump = before !== undefined && now - Date.parse(dateOf(before)) > JUMP;
    if (isJump) this.#pruneAt = this.#means.monotonic() + HOUR;
    else this.#prune(now);
  }

  /** Removes the days that are too old, and days in the future, which a wrong clock has made. */
  #prune(now: number): void {
    this.#pruneAt = Number.POSITIVE_INFINITY;
    const { keep } = this.#limits;
    for (const name of daysIn(this.#directory)) {
      const begin = Date.parse(dateOf(name));
      const isOver = begin + DAY + keep <= now || begin - DAY - keep > now;
      if (isOver) removeDay(this.#directory, name);
    }
  }

  close(): void {
    const writer = this.#writer;
    this.#writer = undefined;
    writer?.close();
  }
}
