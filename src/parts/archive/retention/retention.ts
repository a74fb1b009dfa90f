// Retention: mail goes by its age and by the water mark; an erasure deletes an account's mail. A dry run and a real run
// follow one plan.
//
// Invariants: nothing goes while the index is behind, so that a hold's query sees all mail. Nothing goes by itself after
// the clock has moved by weeks between two runs: it may be wrong.
//
// Doors: alarms.ts, disk.ts, events.ts, gone-accounts.ts, holds.ts, messages.ts, options.ts, store.ts, turns.ts.

import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../../base/clock.ts";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import type { Audit } from "../chain/audit.ts";
import type { Condition } from "../search/condition.ts";
import { Deletion, type DeletionMeans, type Departure } from "./deletion.ts";
import { diskUse } from "./disk.ts";
import { NOTHING, type Leaving, Plan, waterOrder } from "./plan.ts";
import type { RetentionOptions } from "./options.ts";
import { AgeRules } from "./rules.ts";

export interface RetentionMeans extends DeletionMeans {
  readonly options: RetentionOptions | undefined;
  readonly audit: Pick<Audit, "append">;
  readonly clock: Pick<Clock, "now" | "monotonic">;
  /** Whether the index may lack files that are there. */
  isBehind(): boolean;
  /** Measures the file system. A test replaces it. */
  readonly diskUse?: typeof diskUse;
}

/** Nothing is deleted: the index may lack mail that a hold covers. It catches up by itself. */
export class IndexBehind extends CommandError {
  constructor() {
    const what = "the index is behind the Maildirs: nothing is deleted until it has caught up";
    super(what, EXIT.notDone);
    this.name = "IndexBehind";
  }
}

/** What a run did, beside the deletions that it has told of. */
export interface RunResult {
  deleted: number;
  /** Octets of the files. */
  octets: number;
  /** The mark asks for more than could go. */
  isShort: boolean;
  /** The time from which the next run may find more that goes by age, in ms since the epoch; infinite if none will. */
  nextEnd: number;
}

const DAY = 86_400_000;
/** A longer time between two runs may be an error of the clock. */
const RUNS_APART_MAX = 14 * DAY;
/** How often the time of a run is written down, in ms. */
const NOTED_EVERY = 600_000;

const PAGE = 200;
const BATCH = 50;

export class Retention {
  readonly #means: RetentionMeans;
  readonly #deletion: Deletion;

  constructor(means: RetentionMeans) {
    this.#means = means;
    this.#deletion = new Deletion(means);
  }

  /** Finishes what a killed process has begun to delete. */
  resume(): Promise<void> {
    return this.#deletion.resume();
  }

  /** What a run by hand would delete now, in its order. Deletes nothing. */
  async *dryRun(signal: AbortSignal): AsyncGenerator<Leaving, void, undefined> {
    yield* this.#leaving(await this.#plan(true), signal);
  }

  /**
   * Deletes what is to go. `isByHand`: the postmaster asks, so the limit of the water mark and the test of the clock do
   * not count. Throws CommandError (1) if nothing may go now.
   */
  async *run(
    isByHand: boolean,
    signal: AbortSignal,
    result: RunResult,
  ): AsyncGenerator<Departure, void, undefined> {
    this.#requireIndex();
    if (!isByHand) this.#requireClock();
    await this.resume();
    const plan = await this.#plan(isByHand);
    let batch: Leaving[] = [];
    for await (const leaving of this.#leaving(plan, signal)) {
      batch.push(leaving);
      if (batch.length < BATCH) continue;
      yield* this.#delete(batch, result, false);
      batch = [];
      if (signal.aborted) return;
    }
    yield* this.#delete(batch, result, false);
    result.isShort = plan.isShort;
    result.nextEnd = plan.nextEnd;
    this.#noteRun();
  }

  /** Deletes all mail that matches, except what a hold covers. Throws CommandError (1) while the index is behind. */
  async *erase(
    condition: Condition,
    signal: AbortSignal,
  ): AsyncGenerator<Departure, void, undefined> {
    this.#requireIndex();
    await this.resume();
    const result = { deleted: 0, octets: 0, isShort: false, nextEnd: Infinity };
    let before: number | undefined;
    for (;;) {
      const page = { limit: BATCH, signal, ...(before !== undefined && { before }) };
      const found = await this.#means.messages.find(condition, page);
      const last = found.at(-1);
      if (last === undefined) return;
      const batch = found.map((message) => ({ message, rule: "erase", freed: NOTHING }));
      yield* this.#delete(batch, result, true);
      before = last.id;
      signal.throwIfAborted();
    }
  }

  async *#delete(
    batch: readonly Leaving[],
    result: RunResult,
    isErasure: boolean,
  ): AsyncGenerator<Departure, void, undefined> {
    // The index may have fallen behind since the run began.
    this.#requireIndex();
    const departures = await this.#deletion.delete(batch, this.#means.clock.now(), isErasure);
    for (const { what, message } of departures) {
      if (what !== "deleted") continue;
      result.deleted++;
      result.octets += message.size;
    }
    yield* departures;
  }

  async #plan(isByHand: boolean): Promise<Plan> {
    const { options, clock, store, directory } = this.#means;
    if (options === undefined) {
      throw new CommandError(
        "there is no table [archive.retention]: no mail goes",
        EXIT.configuration,
      );
    }
    const now = clock.now();
    const disk = await (this.#means.diskUse ?? diskUse)(directory);
    const spent = isByHand ? NOTHING : store.spent(now, DAY);
    const water = waterOrder(disk, options, spent);
    const { minimum } = options;
    return new Plan({ rules: new AgeRules(options), minimum, now, water, block: disk.block });
  }

  /** The plan as it unfolds over the messages, the oldest first. */
  async *#leaving(plan: Plan, signal: AbortSignal): AsyncGenerator<Leaving, void, undefined> {
    let after = 0;
    for (;;) {
      const page = await this.#means.messages.oldestFirst(after, PAGE);
      const last = page.at(-1);
      if (last === undefined) return;
      const candidates = page.filter((message) => plan.ruleOf(message) !== undefined);
      const free = new Set(await this.#means.holds.uncovered(candidates));
      for (const message of page) {
        if (plan.isOver(message)) return;
        const rule = plan.ruleOf(message);
        if (rule !== undefined && free.has(message)) yield plan.leave(message, rule);
      }
      after = last.id;
      await nextTurn();
      if (signal.aborted) return;
    }
  }

  #requireIndex(): void {
    if (this.#means.isBehind()) throw new IndexBehind();
  }

  #requireClock(): void {
    const { store, clock } = this.#means;
    const ran = store.ranAt;
    const passed = ran === undefined ? 0 : clock.now() - ran;
    if (passed <= RUNS_APART_MAX) return;
    const what = `the last run was ${Math.floor(passed / DAY)} days ago, by this machine's clock: if the clock is right, run relayctl archive retain once`;
    throw new CommandError(what, EXIT.notDone);
  }

  #noteRun(): void {
    const { store, clock } = this.#means;
    const now = clock.now();
    const ran = store.ranAt;
    if (ran === undefined || Math.abs(now - ran) >= NOTED_EVERY) store.noteRun(now);
  }
}
