// One lsearch file, held in memory and read again as soon as it changes. A lookup costs one stat.
//
// Invariants:
// - If the file could not be read, the result is "defer", never "not there".
// - If the list is not believed (belief.ts), the last believed list serves, and a key that it lacks is deferred. The
//   same holds while the file does not answer.
// - A lookup waits at most 80 ms for the file, and at most a second as long as no list has been read. It does not
//   wait for a file that is late already.
// - While one file is late, a lookup in another waits at most 10 ms. So a recipient that is looked up in several
//   files waits at most 100 ms.

import type { BigIntStats } from "node:fs";
import { ListBelief } from "./belief.ts";
import { isSameFile, type ListReading, lookAtList, readList } from "./list-content.ts";
import type { Timer } from "../base/clock.ts";
import type { Acceptance, NameServices } from "./lookup.ts";
import type { LsearchAnswer } from "./lsearch-text.ts";
import type { MaybePromise } from "../base/maybe-promise.ts";

/** The calls of the file system. They never reject, and may never resolve. */
export interface ListCalls {
  look(path: string): Promise<BigIntStats | string>;
  read(path: string): Promise<ListReading>;
}

const CALLS: ListCalls = { look: lookAtList, read: readList };

/**
 * Milliseconds after the relay first saw a change in which the file may change again and look the same, because
 * clocks of file systems tick slowly. The age of a stamp proves nothing: it may be by another clock, or by one that
 * was set.
 */
const RACY_MS = 50;

/** Milliseconds that a lookup waits for the file, and while another file is late. */
const PATIENCE = 80;
const PATIENCE_BESIDE = 10;
/** Milliseconds that a lookup waits while no list has been read: at the start the disk is busy. */
const FIRST_PATIENCE = 1000;
/** Milliseconds that a dry run waits: no client waits for it, and a deferral would hide its result. */
const DRY_RUN_PATIENCE = 4000;
/** Milliseconds by which a timer is late if this process was stalled, and how often a lookup allows for that. */
const STANDSTILL = 80;
const STANDSTILLS = 5;
/** Milliseconds without an answer after which it is logged. */
const REPORTED_AFTER = 5000;

/** A look at the file, and its reading if it has changed. */
interface Asking {
  /** The time when it began, by the monotonic clock. */
  readonly since: number;
  /** The answer of the file. As soon as the file is late, the answer from memory. Never rejects. */
  readonly answer: Promise<LsearchAnswer>;
  isLate: boolean;
}

interface Look {
  readonly seen: BigIntStats;
  /** When the file was first seen like this, by the monotonic clock. */
  readonly since: number;
  /** Whether its time stamps are too new to show another change. */
  readonly isRacy: boolean;
}

export class LsearchFile {
  readonly #path: string;
  readonly #parts: NameServices;
  readonly #calls: ListCalls;
  readonly #belief: ListBelief;
  #look: Look | undefined;
  #answer: LsearchAnswer = { error: "has not been read" };
  #asking: Asking | undefined;
  /** Whether the file was looked at in this turn of the event loop: one look a turn is enough. */
  #looked = false;
  #reported: string | undefined;

  /** `path` is absolute. */
  constructor(path: string, parts: NameServices, calls = CALLS) {
    this.#path = path;
    this.#parts = parts;
    this.#calls = calls;
    this.#belief = new ListBelief(path, parts);
  }

  read(): MaybePromise<LsearchAnswer> {
    if (this.#looked) return this.#answer;
    const asking = this.#asking ?? this.#ask((onTime) => this.#lookUp(onTime));
    return asking.isLate ? this.#meanwhile(asking) : asking.answer;
  }

  /** Believes the list as it is, unless it has no entry; undefined if it was believed already. Never rejects. */
  async accept(): Promise<Acceptance | undefined> {
    const now = await this.#readAgain(false);
    const path = this.#path;
    if ("error" in now) return { path, why: now.error };
    if (now.doubt === undefined) return undefined;
    const accepted = await this.#readAgain(true);
    if ("error" in accepted) return { path, why: accepted.error };
    await this.#belief.written();
    return accepted.doubt === undefined ? { path } : { path, why: accepted.doubt };
  }

  /** Resolves when the believed list is on disk. */
  async close(): Promise<void> {
    await this.#idle();
    await this.#belief.written();
  }

  /** Waits for the look or reading under way. Resolves to it if it is late, otherwise to undefined. */
  async #idle(): Promise<Asking | undefined> {
    while (this.#asking !== undefined) {
      if (this.#asking.isLate) return this.#asking;
      await this.#asking.answer;
    }
    return undefined;
  }

  async #readAgain(isAccepted: boolean): Promise<LsearchAnswer> {
    const late = await this.#idle();
    if (late !== undefined) return this.#meanwhile(late);
    return this.#ask((onTime) => this.#load(isAccepted, onTime)).answer;
  }

  /** Begins a look or reading. `ask` calls its argument when the file has answered. */
  #ask(ask: (onTime: () => void) => Promise<LsearchAnswer>): Asking {
    const { clock, late } = this.#parts;
    const { promise: answer, resolve } = Promise.withResolvers<LsearchAnswer>();
    const asking = { since: clock.monotonic(), answer, isLate: false };
    let isOnTime = false;
    const giveUp = () => {
      if (this.#asking !== asking || isOnTime) return;
      asking.isLate = true;
      late?.add(this.#path);
      resolve(this.#meanwhile(asking));
    };
    let timer: Timer;
    const wait = (patience: number, again: number) => {
      const due = clock.monotonic() + patience;
      timer = clock.after(patience, () => {
        // If this process was stalled, the file may have answered in time, or may need a few more turns of the loop.
        if (again > 0 && clock.monotonic() - due >= STANDSTILL) wait(PATIENCE, again - 1);
        else setImmediate(giveUp);
      });
    };
    wait(this.#patience(), STANDSTILLS);
    this.#looked = false;
    this.#asking = asking;
    const finish = async () => {
      const now = await ask(() => {
        isOnTime = true;
        timer.cancel();
      });
      this.#asking = undefined;
      late?.delete(this.#path);
      resolve(now);
    };
    void finish();
    return asking;
  }

  #patience(): number {
    const { late, readOnly = false } = this.#parts;
    if (readOnly) return DRY_RUN_PATIENCE;
    if ("error" in this.#answer) return FIRST_PATIENCE;
    return late !== undefined && late.size > 0 ? PATIENCE_BESIDE : PATIENCE;
  }

  /** The answer from memory while the file does not answer. */
  #meanwhile({ since }: Asking): LsearchAnswer {
    const error = "does not answer";
    const isLong = this.#parts.clock.monotonic() - since >= REPORTED_AFTER;
    if (isLong) this.#report({ error });
    return "error" in this.#answer ? { error } : { table: this.#answer.table, doubt: error };
  }

  async #lookUp(onTime: () => void): Promise<LsearchAnswer> {
    const seen = await this.#calls.look(this.#path);
    if (typeof seen !== "string" && !this.#isCurrent(seen)) return this.#load(false, onTime);
    onTime();
    if (typeof seen === "string") return this.#report({ error: seen });
    this.#looked = true;
    setImmediate(() => (this.#looked = false));
    this.#belief.remind();
    return this.#report(this.#answer);
  }

  #isCurrent(now: BigIntStats): boolean {
    const look = this.#look;
    if (look === undefined || look.isRacy || !isSameFile(look.seen, now)) return false;
    return !this.#belief.mayChange(this.#standing(look));
  }

  /** Milliseconds for which the file has looked the same. */
  #standing({ since }: Look): number {
    return this.#parts.clock.monotonic() - since;
  }

  async #load(isAccepted: boolean, onTime: () => void): Promise<LsearchAnswer> {
    const asked = this.#parts.clock.monotonic();
    const { content, seen } = await this.#calls.read(this.#path);
    onTime();
    this.#look = seen === undefined ? undefined : this.#lookOf(seen, asked);
    const standing = this.#look === undefined ? 0 : this.#standing(this.#look);
    this.#answer = await this.#belief.judge(content, standing, isAccepted);
    return this.#report(this.#answer);
  }

  /** The look for the status `seen`. `asked` is the time when the reading began. */
  #lookOf(seen: BigIntStats, asked: number): Look {
    const before = this.#look;
    const isKnown = before !== undefined && isSameFile(before.seen, seen);
    const since = isKnown ? before.since : this.#parts.clock.monotonic();
    return { seen, since, isRacy: asked - since < RACY_MS };
  }

  /** Logs an error when it first occurs, not at every lookup. */
  #report(answer: LsearchAnswer): LsearchAnswer {
    const error = "error" in answer ? answer.error : undefined;
    if (error !== undefined && error !== this.#reported) {
      this.#parts.log.event("lookup.failed", { lookup: this.#path, error });
    }
    this.#reported = error;
    return answer;
  }
}
