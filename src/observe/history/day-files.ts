// The files of the history, SQLite databases of one day each: what has become too old is a file to be removed, not rows
// to be searched for. history/2026-11-22.sqlite by UTC; a day with more to tell goes on in 2026-11-22.1.sqlite.
//
// Invariants: an event is in a file of the day on which it was written. All files together stay below a bound, the
// oldest go first, and none takes space that the queue needs. Refusals, which cost a stranger nothing, have a quarter of
// each file. Nothing here is needed to deliver mail: what is damaged is thrown away, and a power cut may cost the last
// seconds.

import { mkdirSync, statfsSync } from "node:fs";
import { isDamage } from "../../base/durable/database.ts";
import { DayWriter } from "./day-writer.ts";
import { dateOf, daysIn, historyDirectory, partOf, removeDay, sizeOf } from "./files.ts";
import type { Piece } from "./event-keys.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Into so many files the bound is divided, so that the oldest of them is a small part of what is remembered. */
const PARTS = 8;
/** A clock that is so far ahead of the last day may be wrong: nothing is too old until it has stood so for an hour. */
const JUMP = 2 * DAY;

export interface HistoryLimits {
  /** How long what happened is remembered, in ms. */
  readonly keep: number;
  /** Octets of all files together. */
  readonly sizeMax: number;
  /** Octets that are left free on the disk. */
  readonly reserve: number;
}

interface Means {
  /** Free octets of the file system that this directory is on. */
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
  /** By the monotonic clock: when days that are too old are removed. */
  #pruneAt = Number.POSITIVE_INFINITY;

  /** Files are made when there is something to be written. */
  constructor(spoolDirectory: string, limits: HistoryLimits, means = systemMeans) {
    this.#directory = historyDirectory(spoolDirectory);
    this.#limits = limits;
    this.#means = means;
    this.#partMax = limits.sizeMax / PARTS;
  }

  /** Throws when they cannot be written; some of them may have been then. */
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

  /** The queue comes first: what is told of the past gives way to it, the oldest first. */
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
    // Room for the file that is begun, for its log, and for what one transaction may be too large by.
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

  /** Removes the days that are over for too long; and those that are to come, which a clock that was ahead has made. */
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
