// What the tests of the transports that speak to a host say in few words.

import assert from "node:assert/strict";
import type { Outcome, Recipient } from "../../src/contract/contract.ts";
import type { RecipientId } from "../../src/mail/envelope.ts";
import { statusLine } from "../../src/mail/status.ts";
import { recipient } from "../support/build.ts";

/** A signal that nobody gives. */
export const never = (): AbortSignal => new AbortController().signal;

/** The option `hosts`: ports of this machine. */
export const at = (...ports: readonly number[]): string[] =>
  ports.map((port) => `127.0.0.1:${port}`);

export function people(...names: readonly string[]): Recipient[] {
  return names.map((name) => recipient(`${name}@example.com`));
}

/** One line for each recipient: "deferred host 451 4.4.1 text". */
export function told(
  outcomes: ReadonlyMap<RecipientId, Outcome>,
  recipients: readonly Recipient[],
): string[] {
  return recipients.map(({ id }) => {
    const outcome = outcomes.get(id);
    assert.ok(outcome !== undefined, `no outcome for ${id}`);
    const scope = outcome.kind === "deferred" ? ` ${outcome.scope}` : "";
    return `${outcome.kind}${scope} ${statusLine(outcome.status)}`;
  });
}
