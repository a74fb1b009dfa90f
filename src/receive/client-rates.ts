// Limits the mail of one client: messages, recipients and refused recipients each have a rate, over all sessions of
// the client. A client is an IPv4 address or a /64 of IPv6. Hosts of a relay rule and users that have logged in are
// exempt.
//
// Invariants:
// - A client above its rate is put off, and never refused for good.
// - A client that has named too many unknown recipients is not told whether any further recipient exists.

import type { Clock } from "../base/clock.ts";
import type { Client } from "../mail/envelope.ts";
import type { Log } from "../observe/log.ts";
import { clientKeyOf } from "../base/network.ts";
import type { MailRequest, MailTransaction, Reception } from "../smtp/server/reception.ts";
import { status, type Status, statusLine } from "../mail/status.ts";
import { KeyedRate, type Rate } from "../base/keyed-rate.ts";

export interface ClientRateOptions {
  readonly messages: Rate | undefined;
  readonly recipients: Rate | undefined;
  readonly refusedRecipients: Rate | undefined;
  isExempt(address: string): boolean;
  readonly clock: Clock;
  readonly log: Log;
}

const TOO_MUCH = status(450, "7.1", "Too much mail from your address, try again later");
const TOO_MANY_REFUSED = status(
  450,
  "7.1",
  "Too many unknown recipients from your address, try again later",
);

/** The same reception, but it puts off clients above their rates. */
export function limitRates(reception: Reception, options: ClientRateOptions): Reception {
  const { messages, recipients, refusedRecipients } = options;
  const isUnlimited = (messages ?? recipients ?? refusedRecipients) === undefined;
  return isUnlimited ? reception : new LimitedReception(reception, options);
}

class LimitedReception implements Reception {
  readonly #reception: Reception;
  readonly #options: ClientRateOptions;
  readonly #messages: KeyedRate | undefined;
  readonly #recipients: KeyedRate | undefined;
  readonly #refused: KeyedRate | undefined;

  constructor(reception: Reception, options: ClientRateOptions) {
    const { messages, recipients, refusedRecipients, clock } = options;
    this.#reception = reception;
    this.#options = options;
    this.#messages = messages && new KeyedRate(messages, clock);
    this.#recipients = recipients && new KeyedRate(recipients, clock);
    this.#refused = refusedRecipients && new KeyedRate(refusedRecipients, clock);
  }

  connect(client: Client): ReturnType<Reception["connect"]> {
    return this.#reception.connect(client);
  }

  mail(client: Client, request: MailRequest): ReturnType<Reception["mail"]> {
    const isExempt = client.user !== undefined || this.#options.isExempt(client.address);
    if (isExempt) return this.#reception.mail(client, request);
    const key = clientKeyOf(client.address);
    const refusal = this.#harvests(key, client) ?? this.#isOver(this.#messages, key, client);
    if (refusal !== undefined) return refusal;
    const answer = this.#reception.mail(client, request);
    const then = (given: Awaited<typeof answer>) =>
      "code" in given ? given : this.#limited(given, key, client);
    return answer instanceof Promise ? answer.then(then) : then(answer);
  }

  #limited(transaction: MailTransaction, key: string, client: Client): MailTransaction {
    const counted = (reply: Status) => {
      if (reply.code >= 500) this.#refused?.take(key);
      return reply;
    };
    return {
      recipient: (request) => {
        const refusal = this.#harvests(key, client) ?? this.#isOver(this.#recipients, key, client);
        if (refusal !== undefined) return refusal;
        const reply = transaction.recipient(request);
        return reply instanceof Promise ? reply.then(counted) : counted(reply);
      },
      message: () => transaction.message(),
      end: () => transaction.end?.(),
    };
  }

  #harvests(key: string, client: Client): Status | undefined {
    if (this.#refused?.has(key) !== false) return undefined;
    return this.#putOff(client, TOO_MANY_REFUSED, "refused_recipients_per_client_rate");
  }

  #isOver(rate: KeyedRate | undefined, key: string, client: Client): Status | undefined {
    if (rate?.take(key) !== false) return undefined;
    const what = rate === this.#messages ? "messages" : "recipients";
    return this.#putOff(client, TOO_MUCH, `${what}_per_client_rate`);
  }

  #putOff({ address }: Client, reply: Status, why: string): Status {
    this.#options.log.event("session.refused", {
      client: address,
      reply: statusLine(reply),
      why,
    });
    return reply;
  }
}
