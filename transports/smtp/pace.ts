// How fast mail goes to one recipient: so many messages in a window of time. Google shuts an account out that gets
// more than 60 a minute, for a day.
//
// Mail that has just come in may use the whole of its window at once; mail that has waited in the queue is spread
// evenly over it, so that after an outage no burst leaves. Who is over gets a time of its own, in order of asking,
// and keeps it: at that time it is let through without another question.

import type { Clock } from "../../src/clock.ts";

/** So many in so many milliseconds. */
export interface Rate {
  readonly count: number;
  readonly window: number;
  /** Only mail that has waited in the queue is held to it. */
  readonly drainOnly?: true;
}

interface Flow {
  /** When the window would be unused again (the theoretical arrival time of the generic cell rate algorithm). */
  free: number;
  /** Turns that were promised, by message. */
  readonly turns: Map<string, number>;
}

export class Pace {
  readonly #rate: Rate;
  readonly #clock: Clock;
  readonly #flows = new Map<string, Flow>();
  #sweepAt = 0;

  constructor(rate: Rate, clock: Clock) {
    this.#rate = rate;
    this.#clock = clock;
  }

  /** Undefined: now. Else when it is the turn of `message`, in ms since the epoch. */
  turn(recipient: string, message: string, fresh: boolean): number | undefined {
    const now = this.#clock.now();
    this.#sweep(now);
    const flow = this.#flow(recipient);
    const promised = flow.turns.get(message);
    if (promised !== undefined) {
      if (promised > now) return promised;
      flow.turns.delete(message);
      return undefined;
    }
    const gap = this.#rate.window / this.#rate.count;
    const burst = fresh ? this.#rate.window - gap : 0;
    const start = Math.max(flow.free, now);
    flow.free = start + gap;
    const turn = start - burst;
    const passes = turn <= now || (fresh && this.#rate.drainOnly === true);
    if (passes) return undefined;
    flow.turns.set(message, turn);
    return turn;
  }

  #flow(recipient: string): Flow {
    let flow = this.#flows.get(recipient);
    if (flow === undefined) {
      flow = { free: 0, turns: new Map() };
      this.#flows.set(recipient, flow);
    }
    return flow;
  }

  /** Forgets recipients whose window is unused, once a window. */
  #sweep(now: number): void {
    if (now < this.#sweepAt) return;
    this.#sweepAt = now + this.#rate.window;
    for (const [recipient, flow] of this.#flows) {
      const lastTurn = Math.max(flow.free, ...flow.turns.values());
      if (lastTurn + this.#rate.window < now) this.#flows.delete(recipient);
    }
  }
}
