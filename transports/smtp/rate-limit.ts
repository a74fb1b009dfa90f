// How fast mail goes somewhere: so many messages in a window of time, to a domain or to one recipient. Google shuts
// an account out that gets more than 60 a minute, for a day.
//
// Mail that has just come in may use the whole of its window at once; mail that has waited in the queue is spread
// evenly over it, so that after an outage no burst leaves. Who is over gets a time of its own, in order of asking,
// and keeps it: at that time it is let through without another question.

import { type Clock, CLOCK_ROUNDING } from "../../src/base/clock.ts";

/** So many in so many milliseconds. */
export interface Rate {
  readonly count: number;
  readonly window: number;
  /** Only mail that has waited in the queue is held to it. */
  readonly drainOnly?: true;
}

/** Turns are counted by the monotonic clock, in milliseconds. */
interface Flow {
  /** When the window would be unused again (the theoretical arrival time of the generic cell rate algorithm). */
  free: number;
  /** Turns that were promised, by message. One that is missed by a window is void: many of them are a burst. */
  readonly turns: Map<string, number>;
}

export class RateLimit {
  readonly #rate: Rate;
  readonly #gap: number;
  readonly #clock: Clock;
  readonly #flows = new Map<string, Flow>();
  #sweepAt = 0;
  /** By the wall clock. */
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

  /** Undefined: now. Else when it is the turn of `message` on its way to `to`, in ms since the epoch. */
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
      // It makes room for itself, but however much comes in does not put the queue off for ever.
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
   * `message` cannot go before `time`, in ms since the epoch, for another reason: a turn of its own that comes before is
   * kept till then.
   */
  keep(to: string, message: string, time: number): void {
    const turns = this.#flows.get(to)?.turns;
    const promised = turns?.get(message);
    const until = time - this.#clock.now() + this.#clock.monotonic();
    if (promised !== undefined && promised < until) turns?.set(message, until);
  }

  /** `message` has had its turn, and may go once more. */
  letThrough(to: string, message: string): void {
    this.#flow(to).turns.set(message, this.#now());
  }

  /** The message that was let through last does not go. */
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

  /** Forgets what is past, once a window; and everything when the clock was set back by more than that. */
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
      // No turn lies behind the end of the flow, but for one that was kept.
      if (free + this.#rate.window < now) this.#flows.delete(to);
    }
    return now;
  }
}
