// Room for deliveries that wait for name servers, policy hosts and next hops. All transports share it. It has fewer
// places than the queue has messages under attempt.
//
// Invariant: unknown hosts can never take all places, and neither can all hosts that the postmaster has not named.
// However many hosts, name servers and policy hosts fail to answer, there is room for mail to hosts that work and to
// the postmaster's own.

import type { Clock } from "./clock.ts";

/**
 * The kind of host that a delivery waits for: "own", named by the postmaster; "proven", has accepted mail before;
 * "unknown", any other.
 */
export type Standing = "own" | "proven" | "unknown";

/** The room, as transports and the queue ask for it. */
export interface Room {
  /** Number of free places for this kind of host. */
  left(standing: Standing): number;
  /** Takes a place. Returns a function that frees it and must be called exactly once. */
  enter(standing: Standing): () => void;
  /**
   * The result of a look-up that asks other people's servers. Undefined when it takes long and no place is free. The
   * look-up itself goes on, and the caches may still use its result.
   */
  patience<T>(lookUp: Promise<T>): Promise<T | undefined>;
  /** The time at which a delivery without a place is tried again, in milliseconds since the epoch. */
  later(): number;
}

/** Places in all, places for all but own hosts, and places for unknown hosts. */
const PLACES = 440;
const STRANGERS = 400;
const UNKNOWN = 360;
/** Milliseconds after which a look-up needs a place. */
const MOMENT = 500;
/** Shortest pause in ms before a delivery without a place is tried again. The longest is three times that. */
const PAUSE = 60_000;

export class DeliveryRoom implements Room {
  readonly #clock: Clock;
  readonly #taken: Record<Standing, number> = { own: 0, proven: 0, unknown: 0 };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  left(standing: Standing): number {
    const { own, proven, unknown } = this.#taken;
    const all = PLACES - own - proven - unknown;
    if (standing === "own") return Math.max(0, all);
    const strangers = Math.min(all, STRANGERS - proven - unknown);
    if (standing === "proven") return Math.max(0, strangers);
    return Math.max(0, Math.min(strangers, UNKNOWN - unknown));
  }

  enter(standing: Standing): () => void {
    this.#taken[standing]++;
    return () => void this.#taken[standing]--;
  }

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

  later(): number {
    return Math.ceil(this.#clock.now() + PAUSE * (1 + 2 * Math.random()));
  }
}
