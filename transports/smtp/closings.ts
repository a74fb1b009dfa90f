// Recipients over whom a host has ended the connection, with 421 or without a word. Nobody else of their message waits
// for them: the others go on at that host without them, and they go to the next host.
//
// Invariant: the connections that one host ends in one attempt are bounded, and so each attempt comes further.

import { given } from "../../src/base/given.ts";
import type { Outcome, Recipient } from "../../src/contract/contract.ts";
import type { RecipientId } from "../../src/mail/envelope.ts";
import type { Place } from "../../src/mail/place.ts";
import type { TransactionResult } from "../../src/smtp/client/client.ts";
import { outcomeOf } from "./outcomes.ts";

/** Connections to one host in the place of those that it has ended. */
const RECONNECTIONS_MAX = 5;

export class Closings {
  /** What becomes of them if no other host does better. */
  readonly outcomes = new Map<RecipientId, Outcome>();
  /** Those of the host that is asked now. */
  readonly #aside = new Set<RecipientId>();
  #reconnections = 0;

  nextHost(): void {
    this.#aside.clear();
    this.#reconnections = 0;
  }

  listenTo(recipients: readonly Recipient[], result: TransactionResult, host: Place): void {
    if (!result.closed && result.failure === undefined) return;
    for (const [id, outcome] of lastWords(recipients, result, host)) {
      this.outcomes.set(id, outcome);
      if (outcome.kind === "deferred" && outcome.scope === "recipient") this.#aside.add(id);
    }
  }

  without(recipients: readonly Recipient[]): readonly Recipient[] {
    return this.#aside.size === 0
      ? recipients
      : recipients.filter(({ id }) => !this.#aside.has(id));
  }

  /** Another connection to this host may be opened for the others. */
  mayGoOn(): boolean {
    return this.#reconnections++ < RECONNECTIONS_MAX;
  }
}

/** An outcome for each whom the host has answered with 421, or not at all at RCPT. */
function lastWords(
  recipients: readonly Recipient[],
  { message, deliveries, recipients: answers, failure }: TransactionResult,
  place: Place,
): ReadonlyMap<RecipientId, Outcome> {
  const words = new Map<RecipientId, Outcome>();
  for (const [index, { id }] of recipients.entries()) {
    const own = answers[index];
    const ended = own !== undefined && own.code >= 400 ? own : deliveries[index];
    if (ended?.code === 421) words.set(id, outcomeOf(ended, "recipient", place));
    else if (ended === undefined && message?.code === 421)
      words.set(id, outcomeOf(message, "message", place));
    else if (failure?.recipient === index) {
      const { status: why, error } = failure;
      const kind = given({ error });
      words.set(id, { kind: "deferred", status: why, scope: "recipient", place, ...kind });
    }
  }
  return words;
}
