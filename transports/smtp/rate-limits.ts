// The turns of a batch, under the rate of its destination and the rate of each recipient together. A message counts
// once at the destination, however many recipients it has there.
//
// Invariant: a recipient that waits for one rate keeps its turn in the other. So two rates cannot put a message off for
// ever, each in turn.

import type { Batch, Recipient } from "../../src/contract/contract.ts";
import type { RecipientId } from "../../src/mail/envelope.ts";
import type { RateLimit } from "./rate-limit.ts";

/** The turn of a recipient, in ms since the epoch, and the rate that it waits for, in words. */
interface LaterTurn {
  readonly notBefore: number;
  readonly rate: string;
}

export class RateLimits {
  readonly #destinations: RateLimit | undefined;
  readonly #recipients: RateLimit | undefined;

  constructor(destinations: RateLimit | undefined, recipients: RateLimit | undefined) {
    this.#destinations = destinations;
    this.#recipients = recipients;
  }

  /** Returns the recipients that have to wait. All others have taken a turn and must go now. */
  waiting(
    { envelope, fresh }: Batch,
    recipients: readonly Recipient[],
  ): ReadonlyMap<RecipientId, LaterTurn> {
    const later = new Map<RecipientId, LaterTurn>();
    const domain = recipients[0]?.mailbox.domain ?? "";
    const whole = this.#destinations?.turn(domain, envelope.id, fresh);
    for (const { id, mailbox } of recipients) {
      const address = addressKey(mailbox);
      if (whole !== undefined) this.#recipients?.keep(address, envelope.id, whole);
      const turn = whole ?? this.#recipients?.turn(address, envelope.id, fresh);
      if (turn === undefined) continue;
      const rate =
        whole === undefined
          ? `${this.#recipients?.text} to ${address}`
          : `${this.#destinations?.text} to ${domain}`;
      later.set(id, { notBefore: turn, rate });
    }
    if (whole === undefined && later.size === recipients.length)
      this.#destinations?.giveBack(domain);
    return later;
  }

  /** The message did not go to these recipients and is sent to them again. They keep their turns. */
  keep({ envelope }: Batch, recipients: readonly Recipient[]): void {
    this.#destinations?.letThrough(recipients[0]?.mailbox.domain ?? "", envelope.id);
    for (const { mailbox } of recipients) {
      this.#recipients?.letThrough(addressKey(mailbox), envelope.id);
    }
  }
}

/** Returns the key of a recipient: the same for upper and lower case of its address. */
export function addressKey({ localPart, domain }: Recipient["mailbox"]): string {
  return `${localPart.toLowerCase()}@${domain}`;
}
