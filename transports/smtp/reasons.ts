// Reasons for a delivery that was put off without an attempt, or was given up. `relayctl queue list` shows the texts,
// so they name the host or the rate that the delivery waits for.

import type { Batch, Outcome } from "../../src/contract/contract.ts";
import type { RecipientId } from "../../src/mail/envelope.ts";
import { saidLine, status, type Status } from "../../src/mail/status.ts";
import { notPassed, outcomeOf } from "./outcomes.ts";

export type Deferral = Extract<Outcome, { kind: "deferred" }>;
/** The earliest useful time of another attempt, and the hint that the delivery waits for. */
export type PutOff = Required<Pick<Deferral, "notBefore" | "waitsFor">>;

export const NO_HOSTS = status(451, "3.5", "No host to deliver to is configured");
export const GIVEN_UP = status(451, "4.7", "The attempt took too long and was given up");
const NOT_WHOLE = status(451, "4.5", "The message must be complete before it is signed");
export const LOOKED_UP = status(
  451,
  "4.3",
  "Waits for what the domain publishes about its hosts: too many look-ups take long",
);
export const CLOSED_ON_OTHERS = status(
  451,
  "4.2",
  "The host ended its connections over other recipients of the message",
);

/** A message whose client may be slow must not hold the last connection, nor be the one that tests a doubtful host. */
export const NOT_SPARED = notPassed(
  outcomeOf(status(451, "4.5", "All connections to the host are in use"), "message", undefined),
);

/** A message that is to be signed must be complete. */
export function notWhole({ recipients }: Batch): ReadonlyMap<RecipientId, Outcome> {
  const outcome = notPassed(outcomeOf(NOT_WHOLE, "message", undefined));
  return new Map(recipients.map(({ id }) => [id, outcome]));
}

/** Too many messages wait in line for the host. */
export function busyStatus(host: string): Status {
  return status(451, "4.5", `Waits for a connection to ${host}: all are in use`);
}

/** The retry time of the host, or of the recipient, has not come. Other mail has recorded the hint. */
export function waitStatus(whom: string, { code, enhanced, ...rest }: Status): Status {
  const because = rest.remote === true ? saidLine({ code, enhanced, ...rest }) : rest.text;
  return { code, enhanced, text: `Waits for ${whom}: ${because}` };
}

export function pacedStatus(rate: string): Status {
  return status(451, "4.5", `Waits for its turn: ${rate}`);
}

/** Defers a delivery until its turn at `notBefore`, in ms since the epoch. This is not a failure. */
export function untriedOutcome(why: Status, scope: Deferral["scope"], notBefore: number): Deferral {
  return { kind: "deferred", status: why, scope, notBefore, untried: true };
}
