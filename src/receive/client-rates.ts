// How much mail one client may bring in a time: messages and recipients, each with a rate of its own. A client is an
// IPv4 address or a /64 of IPv6. Hosts of a relay rule are exempt.
//
// Invariant: over its rate a client is put off, never refused for good, and what is remembered of clients is bounded.

import type { Clock } from "../clock.ts";
import type { Rate } from "../config/kinds.ts";
import type { Client } from "../envelope.ts";
import type { Log } from "../log.ts";
import { customerOf } from "../smtp/network.ts";
import type { MailTransaction, Reception } from "../smtp/reception.ts";
import { status, statusLine } from "../status.ts";

export interface ClientRateOptions {
  readonly messages: Rate | undefined;
  readonly recipients: Rate | undefined;
  isExempt(address: string): boolean;
  readonly clock: Clock;
  readonly log: Log;
}

const CLIENTS_MAX = 100_000;
const TOO_MUCH = status(450, "7.1", "Too much mail from your address, try again later");

/** The same reception, which puts off who comes too often. */
export function limitRates(reception: Reception, options: ClientRateOptions): Reception {
  const { clock, log } = options;
  const messages = options.messages && new ClientRate(options.messages, clock);
  const recipients = options.recipients && new ClientRate(options.recipients, clock);
  if (messages === undefined && recipients === undefined) return reception;

  const isOver = (rate: ClientRate | undefined, { address }: Client, why: string) => {
    if (rate === undefined || options.isExempt(address) || rate.take(customerOf(address)))
      return false;
    log.event("session.refused", { client: address, reply: statusLine(TOO_MUCH), why });
    return true;
  };
  const limited = (transaction: MailTransaction, client: Client): MailTransaction => ({
    recipient: (request) =>
      isOver(recipients, client, "recipients_per_client_rate")
        ? TOO_MUCH
        : transaction.recipient(request),
    message: () => transaction.message(),
  });
  return {
    connect: (client) => reception.connect(client),
    mail(client, request) {
      if (isOver(messages, client, "messages_per_client_rate")) return TOO_MUCH;
      const answer = reception.mail(client, request);
      const then = (given: Awaited<typeof answer>) =>
        "code" in given ? given : limited(given, client);
      return answer instanceof Promise ? answer.then(then) : then(answer);
    },
  };
}

/** The generic cell rate algorithm: a window's worth at once, then evenly. */
class ClientRate {
  readonly #gap: number;
  readonly #window: number;
  readonly #clock: Clock;
  /** When the window of a client will be unused again, the client that came last at the end. */
  readonly #freeAt = new Map<string, number>();

  constructor({ count, window }: Rate, clock: Clock) {
    this.#gap = window / count;
    this.#window = window;
    this.#clock = clock;
  }

  take(key: string): boolean {
    const now = this.#clock.now();
    const freeAt = Math.max(this.#freeAt.get(key) ?? 0, now) + this.#gap;
    if (freeAt > now + this.#window + this.#gap / 2) return false;
    this.#freeAt.delete(key);
    this.#freeAt.set(key, freeAt);
    if (this.#freeAt.size > CLIENTS_MAX) this.#forget(now);
    return true;
  }

  /** Those whose window is unused, or else the one that has not come for longest. */
  #forget(now: number): void {
    for (const [key, freeAt] of this.#freeAt) {
      if (freeAt > now && this.#freeAt.size <= CLIENTS_MAX) break;
      this.#freeAt.delete(key);
    }
  }
}
