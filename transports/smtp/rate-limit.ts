// The rate of mail to a domain or to one recipient: at most `count` messages in a window of time. Google, for example,
// blocks an account for a day if it gets more than 60 messages a minute.
//
// New mail may use the whole window at once. Mail that has waited in the queue is spread evenly over the window, so no
// burst leaves after an outage. A message above the rate gets a turn of its own, in the order of asking. It keeps that
// turn and is let through at that time without another check.

import { type Clock, CLOCK_ROUNDING } from "../../src/base/clock.ts";

/** At most `count` messages in `window` milliseconds. */
export interface Rate {
  readonly count: number;
  readonly window: number;
  /** The rate applies only to mail that has waited in the queue. */
  readonly drainOnly?: true;
}

/** Turns are counted by the monotonic clock, in milliseconds. */
interface Flow {
  /** The time when the window is unused again (theoretical arrival time of the generic cell rate algorithm). */
  free: number;
  /** Promised turns by message. A turn that is late by a whole window is void: many late turns would be a burst. */
  readonly turns: Map<string, number>;
}

export class RateLimit {
  readonly #rate: Rate;
  readonly #gap: number;
  readonly #clock: Clock;
  readonly #flows = new Map<string, Flow>();
  #sweepAt = 0;
  /** The last time seen, by the wall clock. */
  #latest = 0;

  constructor(rate: Rate, clock: Clock) {
    this.#rate = rate;
    this.#gap = rate.window / rate.count;
    this.#clock = clock;
  }

  /** "60 messages in 60 s". */
  get text(): string {
    return `${this.#rate.count} messages in ${this.#rate.window / 1000} s`;
  }

  /** Returns the turn of `message` on its way to `to`, in ms since the epoch. Undefined: now. */
  turn(to: string, message: string, fresh: boolean): number | undefined {
    const turn = this.#turn(to, message, fresh);
    return turn && Math.ceil(this.#clock.now() + turn - this.#clock.monotonic());
  }

  #turn(to: string, message: string, fresh: boolean): number | undefined {
    const now = this.#now();
    const flow = this.#flow(to);
    const promised = flow.turns.get(message);
    if (promised !== undefined && promised > now + CLOCK_ROUNDING) return promised;
    if (promised !== undefined) {
      flow.turns.delete(message);
      if (promised > now - this.#rate.window) return undefined;
    }
    return this.#take(flow, message, now, fresh);
  }

  #take(flow: Flow, message: string, now: number, fresh: boolean): number | undefined {
    const { window, drainOnly } = this.#rate;
    const start = Math.max(flow.free, now);
    if (fresh && drainOnly === true) {
      // New mail counts in the flow, but no further than one window ahead. So it cannot put the queue off for ever.
      flow.free = Math.max(flow.free, Math.min(start + this.#gap, now + window));
      return undefined;
    }
    flow.free = start + this.#gap;
    // In this order of operations: fractions of a millisecond never make a turn later than `start`.
    const turn = fresh ? start - (window - this.#gap) : start;
    if (turn <= now) return undefined;
    flow.turns.set(message, turn);
    return turn;
  }

  /**
   * Moves an earlier turn of `message` to `time`, in ms since the epoch, because it cannot go before that for another
   * reason.
   */
  keep(to: string, message: string, time: number): void {
    const turns = this.#flows.get(to)?.turns;
    const promised = turns?.get(message);
    const until = time - this.#clock.now() + this.#clock.monotonic();
    if (promised !== undefined && promised < until) turns?.set(message, until);
  }

  /** Lets `message`, which has had its turn, go once more. */
  letThrough(to: string, message: string): void {
    this.#flow(to).turns.set(message, this.#now());
  }

  /** Gives the last turn back, because its message does not go. */
  giveBack(to: string): void {
    const flow = this.#flows.get(to);
    if (flow !== undefined) flow.free -= this.#gap;
  }

  #flow(to: string): Flow {
    let flow = this.#flows.get(to);
    if (flow === undefined) {
      flow = { free: 0, turns: new Map() };
      this.#flows.set(to, flow);
    }
    return flow;
  }

  /** Returns the time. Drops past flows once a window, and all flows if the clock was set back by more than that. */
  #now(): number {
    const now = this.#clock.monotonic();
    const wall = this.#clock.now();
    if (wall < this.#latest - this.#rate.window) {
      this.#flows.clear();
      this.#sweepAt = 0;
    }
    this.#latest = wall;
    if (now < this.#sweepAt) return now;
    this.#sweepAt = now + this.#rate.window;
    for (const [to, { free }] of this.#flows) {
      // No turn is later than the end of the flow, except one that was moved by `keep`.
      if (free + this.#rate.window < now) this.#flows.delete(to);
    }
    return now;
  }
}
