// What a configuration was made into, one generation after the other. A transaction ends with the gate, the routers
// and the transports with which it began at MAIL, an attempt with those of its beginning.
//
// Invariants: a generation is closed only when no attempt has it any more, and no transaction can have it either, unless
// so many have followed that it is one too many. A transaction that still has it then ends all the same; what it would
// have passed on at once goes by the queue.

import type { Clock, Timer } from "../base/clock.ts";
import type { Configuration } from "../config/configuration.ts";
import type { Queue } from "../queue/queue.ts";
import type { Reception } from "../smtp/server/reception.ts";

export interface Generation {
  readonly configuration: Configuration;
  readonly chain: { close(): Promise<void> };
  readonly reception: Reception;
}

/** What a transaction may wait for us in all, in ms. */
const OUR_TIME = 600_000;

/** However often the configuration is read again, so many former generations are held, some 40 KB each. */
const FORMER_MAX = 16;

export class Generations {
  readonly #queue: Pick<Queue, "passed">;
  readonly #clock: Clock;
  /** In the order of their end, with the time when no transaction has them any more. */
  readonly #former = new Map<Generation, Timer>();
  /** Those that wait for attempts only. */
  readonly #ending = new Set<Generation>();
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
    const [oldest] = this.#former.keys();
    if (oldest !== undefined && this.#former.size > FORMER_MAX) void this.#closeWhenPassed(oldest);
  }

  /** What its transactions have put under attempt may still be delivered. */
  async #closeWhenPassed(former: Generation): Promise<void> {
    this.#former.get(former)?.cancel();
    this.#former.delete(former);
    this.#ending.add(former);
    await this.#queue.passed();
    if (this.#ending.delete(former)) await former.chain.close();
  }

  /** When there are no sessions and no attempts any more. */
  async close(): Promise<void> {
    for (const timer of this.#former.values()) timer.cancel();
    const former = [...this.#former.keys(), ...this.#ending];
    this.#former.clear();
    this.#ending.clear();
    await Promise.all(former.map(({ chain }) => chain.close()));
    await this.#current.chain.close();
  }
}
