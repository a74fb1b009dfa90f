// One lsearch file, held in memory and read again as soon as it changes. A lookup costs one stat and, while the file
// stays as it is, answers at once.
//
// Invariant: what we could not read is "defer", never "not there". Nor is anything "not there" by a list that is not
// believed (belief.ts): the last one that was serves, and the rest defers.

import type { BigIntStats } from "node:fs";
import { type BeliefParts, ListBelief } from "./belief.ts";
import { isSameFile, lookAtList, readList } from "./list-content.ts";
import type { Lsearch, LsearchAnswer, MaybePromise } from "./lists.ts";

/** What became of a list that an operator wants to be believed as it is. */
export interface Acceptance {
  readonly path: string;
  /** Why it cannot be; absent when it is believed. */
  readonly why?: string;
}

/** So soon after its last change a file may change again and look the same: clocks of file systems tick slowly. */
const RACY_MS = 50;

interface Look {
  readonly seen: BigIntStats;
  /** By the monotonic clock: when the file was first seen like this. */
  readonly since: number;
  /** Its time stamps are too new to tell of another change. */
  readonly isRacy: boolean;
}

export class LsearchFile implements Lsearch {
  readonly #path: string;
  readonly #parts: BeliefParts;
  readonly #belief: ListBelief;
  #look: Look | undefined;
  #answer: LsearchAnswer = { error: "has not been read" };
  #reading: Promise<LsearchAnswer> | undefined;
  /** In one turn of the event loop one look at the file is enough. */
  #looked = false;
  #reported: string | undefined;

  /** `path` is absolute. */
  constructor(path: string, parts: BeliefParts) {
    this.#path = path;
    this.#parts = parts;
    this.#belief = new ListBelief(path, parts);
  }

  read(): MaybePromise<LsearchAnswer> {
    if (this.#looked) return this.#answer;
    if (this.#reading !== undefined) return this.#reading;
    const seen = lookAtList(this.#path);
    if (typeof seen === "string") return this.#report({ error: seen });
    if (!this.#isCurrent(seen)) return this.#begin(false);
    this.#looked = true;
    setImmediate(() => (this.#looked = false));
    this.#belief.remind();
    return this.#answer;
  }

  /** Believes the list as it is, unless it has no entry; undefined when it is believed already. Never rejects. */
  async accept(): Promise<Acceptance | undefined> {
    await this.#idle();
    const now = await this.#begin(false);
    const path = this.#path;
    if ("error" in now) return { path, why: now.error };
    if (now.doubt === undefined) return undefined;
    await this.#idle();
    const accepted = await this.#begin(true);
    await this.#belief.written();
    if ("error" in accepted) return { path, why: accepted.error };
    return accepted.doubt === undefined ? { path } : { path, why: accepted.doubt };
  }

  /** Resolves when what was believed is on disk. */
  async close(): Promise<void> {
    await this.#idle();
    await this.#belief.written();
  }

  #isCurrent(now: BigIntStats): boolean {
    const look = this.#look;
    if (look === undefined || look.isRacy || !isSameFile(look.seen, now)) return false;
    return !this.#belief.mayChange(this.#standing(look));
  }

  /** Milliseconds that the file has stood as it is. */
  #standing({ since }: Look): number {
    return this.#parts.clock.monotonic() - since;
  }

  async #idle(): Promise<void> {
    while (this.#reading !== undefined) await this.#reading;
  }

  #begin(isAccepted: boolean): Promise<LsearchAnswer> {
    this.#looked = false;
    this.#reading = this.#load(isAccepted).finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #load(isAccepted: boolean): Promise<LsearchAnswer> {
    const { content, seen } = await readList(this.#path);
    this.#look = seen === undefined ? undefined : this.#lookOf(seen);
    const standing = this.#look === undefined ? 0 : this.#standing(this.#look);
    this.#answer = await this.#belief.judge(content, standing, isAccepted);
    return this.#report(this.#answer);
  }

  #lookOf(seen: BigIntStats): Look {
    const before = this.#look;
    const now = this.#parts.clock.monotonic();
    const since = before !== undefined && isSameFile(before.seen, seen) ? before.since : now;
    const age = Date.now() - Number(seen.mtimeMs);
    // A stamp in the future tells nothing of its age.
    return { seen, since, isRacy: (age < 0 ? now - since : age) < RACY_MS };
  }

  /** Logs what is wrong when it begins, not at every lookup. */
  #report(answer: LsearchAnswer): LsearchAnswer {
    const error = "error" in answer ? answer.error : undefined;
    if (error !== undefined && error !== this.#reported) {
      this.#parts.log.event("lookup.failed", { lookup: this.#path, error });
    }
    this.#reported = error;
    return answer;
  }
}
