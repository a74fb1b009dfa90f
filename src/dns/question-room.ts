// Limits the number of DNS questions under way at once. A client can name domains whose servers never answer, so each
// question could hold a socket until its deadline.
//
// Invariants: sockets, waiting questions and waiting callers are bounded. A question whose server answers gets its
// turn, however many other servers are silent: while questions wait, the oldest one under way is given up as soon as it
// has had FAIR_TIME.

import type { Clock, Timer } from "../base/clock.ts";

interface Turn {
  /** Aborts, with the reason, when the question is given up. */
  readonly signal: AbortSignal;
  end(): void;
}

interface UnderWay {
  readonly controller: AbortController;
  /** By the monotonic clock. */
  readonly since: number;
}

/** Questions under way. Each has a socket. */
const UNDER_WAY_MAX = 1000;
/** Callers that wait. A completely full queue asks about some ten thousand hosts at once. */
const ASKERS_MAX = 100_000;
/** Milliseconds. A resolver needs less to reach a server that works. */
const FAIR_TIME = 2000;

export class QuestionRoom {
  readonly #clock: Clock;
  readonly #underWayMax: number;
  readonly #askersMax: number;
  /** The oldest question is first. */
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

  /** Returns false when too many callers wait already. Otherwise `leave` must follow. */
  admit(): boolean {
    if (this.#askers >= this.#askersMax) return false;
    this.#askers += 1;
    return true;
  }

  leave(): void {
    this.#askers -= 1;
  }

  /** Waits for a turn; undefined when none came within `timeout` milliseconds. */
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

  /** For each waiting question, gives up one question that has had its fair time. */
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
