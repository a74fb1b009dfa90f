// The generations: each is what one reading of the configuration was made into. A transaction keeps the gate, routers
// and transports that were in force at MAIL. An attempt keeps those that were in force at its beginning.
//
// Invariants: a generation is closed only when no attempt uses it and no transaction can use it any more, or when more
// than FORMER_MAX newer ones exist. A transaction that still uses it in the latter case ends normally, but passes its
// message on by way of the queue.

import type { Clock, Timer } from "../base/clock.ts";
import type { Configuration } from "../config/configuration.ts";
import type { Queue } from "../queue/queue.ts";
import type { Reception } from "../smtp/server/reception.ts";

export interface Generation {
  readonly configuration: Configuration;
  readonly chain: { close(): Promise<void> };
  readonly reception: Reception;
}

/** Milliseconds that a transaction may have to wait for the relay, in all. */
const OUR_TIME = 600_000;

/**
 * Number of former generations that are kept, however often the configuration is read again. Each takes about 40 KB.
 */
const FORMER_MAX = 16;

/** `Own` is a generation with all that its owner needs of it. */
export class Generations<Own extends Generation = Generation> {
  readonly #queue: Pick<Queue, "passed">;
  readonly #clock: Clock;
  /**
   * Former generations in the order in which they were replaced, each with the timer of the moment when no transaction
   * can use it any more.
   */
  readonly #former = new Map<Own, Timer>();
  /** Former generations that only attempts still use. */
  readonly #ending = new Set<Own>();
  #current: Own;

  constructor(first: Own, queue: Pick<Queue, "passed">, clock: Clock) {
    this.#current = first;
    this.#queue = queue;
    this.#clock = clock;
  }

  get current(): Own {
    return this.#current;
  }

  /** Asks the current generation, at each MAIL anew. */
  readonly reception: Reception = {
    connect: (client) => this.#current.reception.connect(client),
    mail: (client, request) => this.#current.reception.mail(client, request),
  };

  follow(next: Own): void {
    const former = this.#current;
    this.#current = next;
    // The longest transaction: from MAIL to DATA, and again for the message itself.
    const longest = 2 * former.configuration.relay.message_timeout + OUR_TIME;
    const timer = this.#clock.after(longest, () => void this.#closeWhenPassed(former));
    this.#former.set(former, timer);
    const [oldest] = this.#former.keys();
    if (oldest !== undefined && this.#former.size > FORMER_MAX) void this.#closeWhenPassed(oldest);
  }

  /** Messages of its transactions may still be under attempt. */
  async #closeWhenPassed(former: Own): Promise<void> {
    this.#former.get(former)?.cancel();
    this.#former.delete(former);
    this.#ending.add(former);
    await this.#queue.passed();
    if (this.#ending.delete(former)) await former.chain.close();
  }

  /** Must be called after the last session and the last attempt have ended. */
  async close(): Promise<void> {
    for (const timer of this.#former.values()) timer.cancel();
    const former = [...this.#former.keys(), ...this.#ending];
    this.#former.clear();
    this.#ending.clear();
    await Promise.all(former.map(({ chain }) => chain.close()));
    await this.#current.chain.close();
  }
}
