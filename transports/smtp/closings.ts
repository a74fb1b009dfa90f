// Recipients over which a host has ended the connection, with 421 or without an answer. Other recipients of the message
// do not wait for them: these go on at the same host, and the recipients in here go to the next host.
//
// Invariant: the connections that one host may end in one attempt are bounded, so every attempt makes progress.

import { given } from "../../src/base/given.ts";
import type { Outcome, Recipient } from "../../src/contract/contract.ts";
import type { RecipientId } from "../../src/mail/envelope.ts";
import type { Place } from "../../src/mail/place.ts";
import type { TransactionResult } from "../../src/smtp/client/client.ts";
import { outcomeOf } from "./outcomes.ts";

/** Most connections to one host that replace a connection it has ended. */
const RECONNECTIONS_MAX = 5;

export class Closings {
  /** Their outcomes, unless another host gives a better one. */
  readonly outcomes = new Map<RecipientId, Outcome>();
  /** The recipients that are not asked about again at the present host. */
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

  /** Counts a replaced connection. Returns whether it may be opened to this host, for the other recipients. */
  mayGoOn(): boolean {
    return this.#reconnections++ < RECONNECTIONS_MAX;
  }
}

/** Returns an outcome for each recipient that got a 421, or whose RCPT got no answer. */
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
