// The steps of a drill, one after the other: how long each took, and what it found.
//
// Invariants:
// - Each step has a deadline of its own, and all together have one. A step that fails ends only those that need it.
// - After an abort no step begins.

import { setTimeout as sleep } from "node:timers/promises";

export interface DrillStep {
  readonly step: string;
  readonly result: "ok" | "failed" | "skipped";
  readonly ms: number;
  /** What was seen, or why the step failed or was skipped. */
  readonly text: string;
}

/** Milliseconds of one step. */
const STEP_MAX = 20_000;
/** Milliseconds of all steps. The rest of the 90 s is for cleaning up. */
const ALL_MAX = 55_000;
/** Milliseconds between two looks at something that is to happen. */
const PAUSE = 100;

/** Not an error: there is nothing to rehearse, and so there is not in the steps that need this one. */
export class Skipped extends Error {}

export interface StepLimits {
  readonly step: number;
  readonly all: number;
}

export class DrillSteps {
  readonly done: DrillStep[] = [];
  /** The reasons of steps that had nothing to rehearse, by their names. */
  readonly #spared = new Map<string, string>();
  readonly #signal: AbortSignal;
  readonly #limits: StepLimits;
  readonly #begun = performance.now();
  readonly #onStep: (step: DrillStep) => Promise<void>;

  /** `onStep` is called after each step. */
  constructor(
    signal: AbortSignal,
    onStep: (step: DrillStep) => Promise<void>,
    limits: StepLimits = { step: STEP_MAX, all: ALL_MAX },
  ) {
    this.#signal = signal;
    this.#onStep = onStep;
    this.#limits = limits;
  }

  get haveAllWorked(): boolean {
    return this.done.every(({ step, result }) => result === "ok" || this.#spared.has(step));
  }

  /**
   * Does a step, unless one that it needs did not succeed. `act` resolves to what it has seen. Resolves to whether the
   * step succeeded.
   */
  async take(
    step: string,
    needs: readonly string[],
    act: (signal: AbortSignal) => Promise<string>,
  ): Promise<boolean> {
    const missing = needs.find((one) => !this.#succeeded(one));
    if (missing !== undefined) {
      const spared = this.#spared.get(missing);
      if (spared !== undefined) return this.#spare(step, spared, 0);
      await this.#note({ step, result: "skipped", ms: 0, text: `needs the step "${missing}"` });
      return false;
    }
    const begun = performance.now();
    const ms = () => Math.round(performance.now() - begun);
    try {
      const text = await this.#bounded(act);
      await this.#note({ step, result: "ok", ms: ms(), text });
      return true;
    } catch (error) {
      if (error instanceof Skipped) return this.#spare(step, error.message, ms());
      await this.#note({ step, result: "failed", ms: ms(), text: messageOf(error) });
      return false;
    }
  }

  async #spare(step: string, text: string, ms: number): Promise<false> {
    this.#spared.set(step, text);
    await this.#note({ step, result: "skipped", ms, text });
    return false;
  }

  #succeeded(step: string): boolean {
    return this.done.some((one) => one.step === step && one.result === "ok");
  }

  async #note(step: DrillStep): Promise<void> {
    this.done.push(step);
    await this.#onStep(step);
  }

  async #bounded(act: (signal: AbortSignal) => Promise<string>): Promise<string> {
    const left = this.#limits.all - (performance.now() - this.#begun);
    const time = Math.max(0, Math.min(this.#limits.step, left));
    const late = new AbortController();
    const signal = AbortSignal.any([this.#signal, late.signal]);
    const timer = setTimeout(
      () => late.abort(new Error(`nothing happened within ${(time / 1000).toFixed(0)} s`)),
      time,
    );
    try {
      signal.throwIfAborted();
      const aborted = new Promise<never>((_, reject) => {
        signal.addEventListener("abort", () => reject(reasonOf(signal)), { once: true });
      });
      return await Promise.race([act(signal), aborted]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function reasonOf({ reason }: AbortSignal): Error {
  return reason instanceof Error ? reason : new Error("interrupted");
}

/** Looks until `look` gives something else than undefined. Rejects when `signal` aborts. */
export async function seen<T>(
  signal: AbortSignal,
  look: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  for (;;) {
    signal.throwIfAborted();
    const found = await look();
    if (found !== undefined) return found;
    await sleep(PAUSE);
  }
}
