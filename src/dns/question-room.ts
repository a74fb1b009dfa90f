// How many questions may be under way at once. Strangers choose names whose servers say nothing, so each question could
// hold a socket until its deadline.
//
// Invariants: sockets, waiting questions and those who wait for answers are bounded. A question with a server that
// answers gets its turn however many others are silent: while questions wait, the oldest one under way is given up
// as soon as it has had its fair time.

import type { Clock, Timer } from "../base/clock.ts";

interface Turn {
  /** Aborts when the question is given up, with the reason. */
  readonly signal: AbortSignal;
  end(): void;
}

interface UnderWay {
  readonly controller: AbortController;
  /** By the monotonic clock. */
  readonly since: number;
}

/** Each has a socket. */
const UNDER_WAY_MAX = 1000;
/** A queue of mail at its fullest asks about some ten thousand hosts at once. */
const ASKERS_MAX = 100_000;
/** A resolver on the way to a server that works needs less. */
const FAIR_TIME = 2000;

export class QuestionRoom {
  readonly #clock: Clock;
  readonly #underWayMax: number;
  readonly #askersMax: number;
  /** In the order of their beginning. */
  readonly #underWay = new Set<UnderWay>();
  readonly #waiting = new Set<(turn: Turn | undefined) => void>();
  #askers = 0;
  #timer: Timer | undefined;
  #closed = false;

  constructor(clock: Clock, underWayMax = UNDER_WAY_MAX, askersMax = ASKERS_MAX) {
    this.#clock = clock;
    this.#underWayMax = underWayMax;
    this.#askersMax = askersMax;
  }

  /** False when too many wait for answers already; otherwise `leave` must follow. */
  admit(): boolean {
    if (this.#askers >= this.#askersMax) return false;
    this.#askers += 1;
    return true;
  }

  leave(): void {
    this.#askers -= 1;
  }

  /** Undefined when no turn came in `timeout` milliseconds. */
  async enter(timeout: number): Promise<Turn | undefined> {
    if (this.#underWay.size < this.#underWayMax || this.#closed) return this.#begin();
    const { promise, resolve } = Promise.withResolvers<Turn | undefined>();
    this.#waiting.add(resolve);
    const timer = this.#clock.after(timeout, () => {
      this.#waiting.delete(resolve);
      resolve(undefined);
    });
    this.#hurry();
    const turn = await promise;
    timer.cancel();
    return turn;
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    for (const { controller } of this.#underWay) controller.abort(closed());
    for (const resolve of this.#waiting) resolve(undefined);
    this.#waiting.clear();
  }

  #begin(): Turn {
    const controller = new AbortController();
    const one = { controller, since: this.#clock.monotonic() };
    this.#underWay.add(one);
    if (this.#closed) controller.abort(closed());
    return {
      signal: controller.signal,
      end: () => {
        this.#underWay.delete(one);
        const [next] = this.#waiting;
        if (next === undefined) return;
        this.#waiting.delete(next);
        next(this.#begin());
      },
    };
  }

  /** Gives up what has had its fair time while others wait, one for each that waits. */
  #hurry(): void {
    this.#timer?.cancel();
    const now = this.#clock.monotonic();
    let left = this.#waiting.size;
    for (const { controller, since } of this.#underWay) {
      if (left === 0) return;
      if (controller.signal.aborted) continue;
      const rest = since + FAIR_TIME - now;
      if (rest > 0) {
        this.#timer = this.#clock.after(rest, () => this.#hurry());
        return;
      }
      controller.abort(new Error("no answer soon enough, while other questions wait"));
      left -= 1;
    }
  }
}

function closed(): Error {
  return new Error("the resolver is closed");
}
