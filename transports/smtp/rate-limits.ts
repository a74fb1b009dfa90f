// Whose turn it is: the pace of the destination and that of each recipient together. A message counts once at the
// destination, however many recipients it has there.
//
// Invariant: who waits for one pace loses nothing in the other, so two of them cannot send a message to and fro.

import type { Batch, Recipient } from "../../src/contract/contract.ts";
import type { RecipientId } from "../../src/mail/envelope.ts";
import type { RateLimit } from "./rate-limit.ts";

/** When the turn of a recipient is, in ms since the epoch, and by which rate, in words. */
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

  /** Who has to wait. The others are expected to go now. */
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

  /** The message has not gone, and goes again for these: they need no other turn. */
  keep({ envelope }: Batch, recipients: readonly Recipient[]): void {
    this.#destinations?.letThrough(recipients[0]?.mailbox.domain ?? "", envelope.id);
    for (const { mailbox } of recipients) {
      this.#recipients?.letThrough(addressKey(mailbox), envelope.id);
    }
  }
}

/** One account, however its address is written. */
export function addressKey({ localPart, domain }: Recipient["mailbox"]): string {
  return `${localPart.toLowerCase()}@${domain}`;
}
