// What a configuration was made into, one generation after the other. A transaction ends with the gate, the routers
// and the transports with which it began at MAIL, an attempt with those of its beginning.
//
// Invariant: a generation is closed only when no transaction and no attempt can have it any more.

import type { Clock, Timer } from "../clock.ts";
import type { Configuration } from "../config/configuration.ts";
import type { Queue } from "../queue.ts";
import type { Reception } from "../smtp/reception.ts";

export interface Generation {
  readonly configuration: Configuration;
  readonly chain: { close(): Promise<void> };
  readonly reception: Reception;
}

/** What a transaction may wait for us in all, in ms. */
const OUR_TIME = 600_000;

export class Generations {
  readonly #queue: Pick<Queue, "passed">;
  readonly #clock: Clock;
  readonly #former = new Map<Generation, Timer>();
  #current: Generation;

  constructor(first: Generation, queue: Pick<Queue, "passed">, clock: Clock) {
    this.#current = first;
    this.#queue = queue;
    this.#clock = clock;
  }

  get current(): Generation {
    return this.#current;
  }

  /** Asks the generation of the moment, at each MAIL anew. */
  readonly reception: Reception = {
    connect: (client) => this.#current.reception.connect(client),
    mail: (client, request) => this.#current.reception.mail(client, request),
  };

  follow(next: Generation): void {
    const former = this.#current;
    this.#current = next;
    // From MAIL to DATA, and again for the message itself: then every transaction is over.
    const longest = 2 * former.configuration.relay.message_timeout + OUR_TIME;
    const timer = this.#clock.after(longest, () => void this.#closeWhenPassed(former));
    this.#former.set(former, timer);
  }

  /** What those transactions have put under attempt may still be delivered. */
  async #closeWhenPassed(former: Generation): Promise<void> {
    await this.#queue.passed();
    if (this.#former.delete(former)) await former.chain.close();
  }

  /** When there are no sessions and no attempts any more. */
  async close(): Promise<void> {
    const former = [...this.#former];
    this.#former.clear();
    for (const [, timer] of former) timer.cancel();
    await Promise.all(former.map(([{ chain }]) => chain.close()));
    await this.#current.chain.close();
  }
}
