// Room for deliveries that wait for other people: for name servers, policy hosts, and next hops. All transports share it,
// and it is less than the queue has under attempt at a time.
//
// Invariant: hosts that nothing is known of never have all of it, nor have strangers' hosts. However many hosts, name
// servers and policy hosts say nothing, there is room for mail to hosts that work and to those of the postmaster.

import type { Clock } from "./clock.ts";

/** Whom a delivery waits for: a host that the postmaster has written down, one that has taken mail, or any other. */
export type Standing = "own" | "proven" | "unknown";

/** Places for all, for all but own hosts, and for unknown ones. */
const PLACES = 440;
const STRANGERS = 400;
const UNKNOWN = 360;
/** A look-up that takes longer has to have a place, in ms. */
const MOMENT = 500;
/** When a delivery comes back that found no place, in ms; up to thrice that. */
const PAUSE = 60_000;

export class Room {
  readonly #clock: Clock;
  readonly #taken: Record<Standing, number> = { own: 0, proven: 0, unknown: 0 };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Places that are free. */
  left(standing: Standing): number {
    const { own, proven, unknown } = this.#taken;
    const all = PLACES - own - proven - unknown;
    if (standing === "own") return Math.max(0, all);
    const strangers = Math.min(all, STRANGERS - proven - unknown);
    if (standing === "proven") return Math.max(0, strangers);
    return Math.max(0, Math.min(strangers, UNKNOWN - unknown));
  }

  /** Takes a place. To be called once, when it is free again. */
  enter(standing: Standing): () => void {
    this.#taken[standing]++;
    return () => void this.#taken[standing]--;
  }

  /**
   * What a look-up at strangers' servers gives. Undefined when it takes long and there is no place to wait in: it goes
   * on for nothing, or for the caches.
   */
  async patience<T>(lookUp: Promise<T>): Promise<T | undefined> {
    const { promise: given, resolve: giveUp } = Promise.withResolvers<undefined>();
    let leave: (() => void) | undefined;
    const timer = this.#clock.after(MOMENT, () => {
      if (this.left("unknown") > 0) leave = this.enter("unknown");
      else giveUp(undefined);
    });
    try {
      return await Promise.race([lookUp, given]);
    } finally {
      timer.cancel();
      leave?.();
    }
  }

  /** When whoever found no place comes back; milliseconds since the epoch. */
  later(): number {
    return Math.ceil(this.#clock.now() + PAUSE * (1 + 2 * Math.random()));
  }
}
