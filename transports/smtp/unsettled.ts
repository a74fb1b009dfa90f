// The recipients of one batch: those with an outcome, and those left for the next transaction or host.
//
// Invariant: a recipient that has an outcome is never sent again.

import type { Outcome, Recipient } from "../../src/contract/contract.ts";
import type { RecipientId } from "../../src/mail/envelope.ts";
import type { Place } from "../../src/mail/place.ts";
import type { TransactionResult } from "../../src/smtp/client/client.ts";
import { Closings } from "./closings.ts";
import { recordOutcomes } from "./outcomes.ts";

/** The host or socket that answered, and the TLS of the connection. */
interface Speaker {
  readonly place: Place;
  readonly tls: string | undefined;
}

export class Unsettled {
  readonly outcomes = new Map<RecipientId, Outcome>();
  readonly closings = new Closings();
  #left: readonly Recipient[];

  constructor(recipients: readonly Recipient[]) {
    this.#left = recipients;
  }

  get left(): readonly Recipient[] {
    return this.#left;
  }

  get isEmpty(): boolean {
    return this.#left.length === 0;
  }

  /** Recipients left that the present host is asked about. */
  get here(): readonly Recipient[] {
    return this.closings.without(this.#left);
  }

  /** Takes the answers to `asked`. Returns how many recipients got an outcome. */
  take(asked: readonly Recipient[], result: TransactionResult, speaker: Speaker): number {
    const again = recordOutcomes(this.outcomes, asked, result, speaker);
    const ids = new Set(asked);
    this.#left = [...again, ...this.#left.filter((recipient) => !ids.has(recipient))];
    this.closings.listenTo(asked, result, speaker.place);
    return asked.length - again.length;
  }

  /** Replaces the outcome of each of `recipients`: the settled one, or the one kept in `closings`. */
  revise(recipients: readonly Recipient[], revised: (of: Recipient, as: Outcome) => Outcome): void {
    for (const recipient of recipients) {
      const { id } = recipient;
      const outcomes = this.outcomes.has(id) ? this.outcomes : this.closings.outcomes;
      const outcome = outcomes.get(id);
      if (outcome !== undefined) outcomes.set(id, revised(recipient, outcome));
    }
  }

  settle(outcomes: ReadonlyMap<RecipientId, Outcome>): void {
    if (outcomes.size === 0) return;
    for (const [id, outcome] of outcomes) this.outcomes.set(id, outcome);
    this.#left = this.#left.filter(({ id }) => !outcomes.has(id));
  }

  settleRest(outcome: Outcome): void {
    for (const { id } of this.#left) this.outcomes.set(id, outcome);
    this.#left = [];
  }

  /** Gives the rest `outcome`. Recipients over which a host ended the connection get the outcome of that instead. */
  putOffRest(outcome: Outcome): void {
    const { outcomes } = this.closings;
    for (const { id } of this.#left) this.outcomes.set(id, outcomes.get(id) ?? outcome);
    this.#left = [];
  }
}
