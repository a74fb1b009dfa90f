// Keeps the index up to date: takes the copies that the relay tells, walks over the Maildirs, and files what is found.
//
// Invariants: arrivals go before the files of walks. A fault of the disk or of one file never stops it for good, and
// never makes it try without a pause. The Maildirs are the truth: what it forgets, the next walk finds.

import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock, Timer } from "../../../base/clock.ts";
import { given } from "../../../base/given.ts";
import { describeError, type Log } from "../../../observe/log.ts";
import { type ArchiveIndex, openForWriting } from "./archive-index.ts";
import { Arrivals } from "./arrivals.ts";
import { Checkpoints } from "./checkpoints.ts";
import { Filing, type FilingMeans } from "./filing.ts";
import { Findings } from "./findings.ts";
import { installIndex, ownIndex } from "./index-files.ts";
import { IndexReader } from "./index-reader.ts";
import type { IndexChanges } from "./index-writer.ts";
import { buildIndex, manifestBeside, refileAccount } from "./reindex.ts";
import { Walk, WalkMemory } from "./walk.ts";

/** ms from the end of a walk to the next one. */
const WALK_EVERY = 20_000;
/** ms after a fault. */
const PAUSE = 60_000;

/** ms between two times at which the words of all removed messages are taken out of the index, also where they are few. */
const THOROUGH_EVERY = 3_600_000;

/** ms between two notes of the last walk in the index. */
const NOTED_EVERY = 600_000;

const FILES_AT_ONCE = 64;

export interface IndexerMeans extends Pick<FilingMeans, "manifest" | "texts" | "originOf"> {
  readonly index: ArchiveIndex;
  /** The Maildirs. */
  readonly root: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Called after new messages are in the index, with their ids. */
  readonly onIndexed?: (ids: readonly number[]) => void;
}

export class Indexer {
  readonly #means: IndexerMeans;
  readonly #arrivals: Arrivals;
  readonly #memory: WalkMemory;
  readonly #ended = new AbortController();
  #filing: Filing;
  #checkpoints: Checkpoints | undefined;
  #walking: Promise<void> | undefined;
  #working: Promise<void> | undefined;
  #timer: Timer | undefined;
  #pausedUntil = 0;
  #isPaused = false;
  #pausedBy = "";
  /** A whole walk was finished since this process began, and the last one was not broken off. */
  #isWalked = false;
  #walkedAt: number | undefined;
  /** Until its end, only arrivals are filed. */
  #isFirstWalk = true;
  #thoroughAt = -Infinity;
  /** The index is being exchanged: nothing is written meanwhile. */
  #isHeld = false;
  #fault = "";
  #findings = 0;

  constructor(means: IndexerMeans) {
    this.#means = means;
    this.#memory = new WalkMemory(means.clock);
    this.#arrivals = new Arrivals(means.root, means.index.looks, this.#memory.pace);
    this.#filing = this.#newFiling();
  }

  /** Begins to walk, now and again and again. */
  start(): void {
    void this.#walkAgain();
  }

  /** Paths of new files, as the relay tells them. Paths that lie elsewhere are passed over. */
  arrived(paths: readonly string[]): void {
    this.#arrivals.add(paths);
    this.#work();
  }

  /**
   * Resolves after a whole walk, when everything that it found is in the index or could not be read. Rejects if the walk
   * could not be finished, or the files could not be written down.
   */
  async catchUp(): Promise<void> {
    await this.#walking?.catch(() => undefined);
    await this.#walkOnce();
    while (this.#working !== undefined) await this.#working;
    if (this.#isPaused) throw new Error("the index cannot be written; the log has the cause");
  }

  /** Reads all messages of the account again. */
  async reindexAccount(account: string, signal: AbortSignal): Promise<void> {
    const { index } = this.#means;
    const began = this.#means.clock.monotonic();
    await refileAccount(
      { ...this.#means, looks: index.looks },
      index.open.reader,
      this.#newFiling(),
      { account, signal: AbortSignal.any([signal, this.#ended.signal]) },
    );
    await this.catchUp();
    this.#reindexed(began, account);
  }

  /**
   * Makes the whole index again, beside the one that serves. Resolves when the new one serves, and has what came in the
   * meantime. `onProgress` gets the number of messages in it so far.
   */
  async reindex(signal: AbortSignal, onProgress: (messages: number) => void): Promise<void> {
    const { index, manifest } = this.#means;
    const { state } = index.settings;
    const began = this.#means.clock.monotonic();
    const old = index.fault === undefined ? new IndexReader(index.open.file) : undefined;
    try {
      const means = { ...this.#means, manifest: manifestBeside(manifest, old), looks: index.looks };
      const ends = AbortSignal.any([signal, this.#ended.signal]);
      await buildIndex({ ...means, state }, ends, onProgress);
      await this.#exchange(() => {
        const file = installIndex(state);
        index.replace(openForWriting(file));
        ownIndex(state);
      });
      this.#filing = this.#newFiling(means.manifest);
      await this.catchUp();
      this.#reindexed(began);
    } finally {
      this.#filing = this.#newFiling();
      old?.close();
    }
  }

  /** Whether the index may lack files: files wait, or no walk has been finished since this process began. */
  get isBehind(): boolean {
    if (!this.#isWalked || this.#means.index.fault !== undefined) return true;
    return this.#isPaused || this.#means.index.open.reader.hasPending;
  }

  /** Why nothing can be written to the index now; undefined if it can. */
  get pause(): string | undefined {
    return this.#isPaused ? this.#pausedBy : undefined;
  }

  /** The end of the last whole walk of this process, ms since the epoch. */
  get walkedAt(): number | undefined {
    return this.#walkedAt;
  }

  /** The number of files and directories that the last walk has passed over. */
  get unread(): number {
    return this.#findings;
  }

  async close(): Promise<void> {
    this.#ended.abort();
    this.#timer?.cancel();
    await Promise.allSettled([this.#walking, this.#working]);
    await this.#filing.settled().catch(() => undefined);
    await this.#checkpoints?.close();
  }

  async #walkAgain(): Promise<void> {
    try {
      await this.#walkOnce();
      this.#fault = "";
      this.#later(WALK_EVERY);
    } catch (error) {
      if (this.#ended.signal.aborted) return;
      const fault = describeError(error);
      if (fault !== this.#fault) this.#means.log.event("archive.behind", { error: fault });
      this.#fault = fault;
      this.#later(PAUSE);
    }
  }

  #later(delay: number): void {
    if (this.#ended.signal.aborted) return;
    this.#timer = this.#means.clock.after(delay, () => void this.#walkAgain());
  }

  /** One walk at a time: a caller that comes during one gets its result. */
  #walkOnce(): Promise<void> {
    this.#walking ??= this.#walk().finally(() => (this.#walking = undefined));
    return this.#walking;
  }

  /** Calls `change` while nothing reads or writes the index. */
  async #exchange(change: () => void): Promise<void> {
    this.#isHeld = true;
    try {
      await Promise.allSettled([this.#walking, this.#working]);
      await this.#filing.settled();
      await this.#checkpoints?.close();
      this.#checkpoints = undefined;
      change();
    } finally {
      this.#isHeld = false;
    }
  }

  async #walk(): Promise<void> {
    const { index, root, clock } = this.#means;
    if (this.#isHeld) return;
    const findings = new Findings();
    try {
      const { reader } = index.open;
      const commit = async (changes: IndexChanges) => {
        index.writer.commit(changes, clock.now());
        this.#checkpoints?.check();
        await nextTurn();
      };
      const means = { root, reader, looks: index.looks, findings, commit, clock };
      await new Walk(means, this.#memory, this.#ended.signal).run();
      this.#isWalked = true;
      this.#noteFindings(findings);
      this.#noteWalk();
    } catch (error) {
      this.#isWalked = false;
      if (index.noteDamage(error)) this.#damaged(error);
      throw error;
    } finally {
      this.#isFirstWalk = false;
      this.#work();
    }
  }

  /** Files what waits, until nothing does. */
  #work(): void {
    if (this.#working !== undefined || this.#isHeld || this.#ended.signal.aborted) return;
    if (this.#means.index.fault !== undefined) return;
    if (this.#means.clock.monotonic() < this.#pausedUntil) return;
    this.#working = this.#workOff().finally(() => {
      this.#working = undefined;
      if (!this.#arrivals.isEmpty && !this.#isPaused) this.#work();
    });
  }

  async #workOff(): Promise<void> {
    try {
      await this.#fileAll();
      this.#isPaused = false;
    } catch (error) {
      if (this.#ended.signal.aborted) return;
      this.#paused(error);
    }
  }

  async #fileAll(): Promise<void> {
    const { index, clock } = this.#means;
    this.#checkpoints ??= new Checkpoints(index.open.file);
    const { signal } = this.#ended;
    while (!this.#isHeld) {
      signal.throwIfAborted();
      await nextTurn();
      if (await this.#fileSome()) continue;
      await this.#filing.settled();
      if (!this.#arrivals.isEmpty) continue;
      if (this.#isFirstWalk) return;
      if (index.writer.pending(1, clock.now()).length === 0 && !(await this.#tidy())) return;
    }
  }

  /** False if nothing waits. */
  async #fileSome(): Promise<boolean> {
    const { index, clock } = this.#means;
    const { signal } = this.#ended;
    const arrived = await this.#arrivals.take(FILES_AT_ONCE);
    if (arrived.length > 0) {
      await this.#filing.file(arrived, "relay", signal);
      return true;
    }
    // In the order of their time they fill one shelf of the full text after another, and a search asks few of them.
    if (this.#isFirstWalk) return false;
    const pending = index.writer
      .pending(2 * FILES_AT_ONCE, clock.now())
      .filter((file) => !this.#filing.isUnderWay(file))
      .slice(0, FILES_AT_ONCE);
    if (pending.length === 0) return false;
    await this.#filing.file(pending, "walk", signal);
    return true;
  }

  /** Merges and shrinks while nothing waits. Returns whether something has come in the meantime. */
  async #tidy(): Promise<boolean> {
    const { writer } = this.#means.index;
    const now = this.#means.clock.monotonic();
    const isThorough = now - this.#thoroughAt >= THOROUGH_EVERY;
    while (this.#arrivals.isEmpty && !this.#isHeld) {
      if (!writer.tidy(isThorough)) {
        if (isThorough) this.#thoroughAt = now;
        await this.#checkpoints?.empty();
        return !this.#arrivals.isEmpty;
      }
      this.#checkpoints?.check();
      await nextTurn();
      this.#ended.signal.throwIfAborted();
    }
    return true;
  }

  #paused(error: unknown): void {
    const { index, log, clock } = this.#means;
    if (index.noteDamage(error)) return this.#damaged(error);
    this.#pausedUntil = clock.monotonic() + PAUSE;
    this.#pausedBy = describeError(error);
    if (!this.#isPaused) log.event("archive.paused", { error: this.#pausedBy });
    this.#isPaused = true;
    this.#filing = this.#newFiling();
  }

  #damaged(error: unknown): void {
    this.#means.log.event("archive.damaged", { error: describeError(error) });
  }

  /** The disk is not woken for every walk. */
  #noteWalk(): void {
    const { index, clock } = this.#means;
    const now = clock.now();
    this.#walkedAt = now;
    const noted = index.open.reader.walkedAt;
    if (noted === undefined || Math.abs(now - noted) >= NOTED_EVERY) {
      index.writer.commit({ walkedAt: now }, now);
    }
  }

  #reindexed(began: number, account?: string): void {
    const { index, clock, log } = this.#means;
    const { messages } = index.open.reader.totals();
    const seconds = Math.round((clock.monotonic() - began) / 100) / 10;
    log.event("archive.reindexed", { ...given({ account }), messages, seconds });
  }

  #noteFindings(findings: Findings): void {
    const [first] = findings.kept;
    if (first !== undefined && findings.count !== this.#findings) {
      this.#means.log.event("archive.unread", { count: findings.count, ...first });
    }
    this.#findings = findings.count;
  }

  #newFiling(manifest = this.#means.manifest): Filing {
    const { index } = this.#means;
    const means = {
      ...this.#means,
      manifest,
      get reader() {
        return index.open.reader;
      },
      get writer() {
        return index.writer;
      },
    };
    return new Filing(means, (ids) => {
      this.#checkpoints?.check();
      if (ids.length > 0) this.#means.onIndexed?.(ids);
    });
  }
}
