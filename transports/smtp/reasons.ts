// Why a delivery was put off without having been tried, or was given up: the texts name the host or the rate that is
// waited for, because they are what `relayctl queue list` shows.

import type { Outcome } from "../../src/contract/contract.ts";
import { saidLine, status, type Status } from "../../src/mail/status.ts";
import { notPassed, outcomeOf } from "./outcomes.ts";

export type Deferral = Extract<Outcome, { kind: "deferred" }>;
/** The time at which another attempt makes sense, and what is waited for. */
export type PutOff = Required<Pick<Deferral, "notBefore" | "waitsFor">>;

export const NO_HOSTS = status(451, "3.5", "No host to deliver to is configured");
export const GIVEN_UP = status(451, "4.7", "The attempt took too long and was given up");
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

/** A place that a slow client may hold is not to be the last one, nor the only one that finds out about a host. */
export const NOT_SPARED = notPassed(
  outcomeOf(status(451, "4.5", "All connections to the host are in use"), "message", undefined),
);

/** Too many messages stand in line for the host. */
export function busyStatus(host: string): Status {
  return status(451, "4.5", `Waits for a connection to ${host}: all are in use`);
}

/** The host, or the recipient at it, is not to be tried yet, for what was learnt from other mail. */
export function waitStatus(whom: string, { code, enhanced, ...rest }: Status): Status {
  const because = rest.remote === true ? saidLine({ code, enhanced, ...rest }) : rest.text;
  return { code, enhanced, text: `Waits for ${whom}: ${because}` };
}

export function pacedStatus(rate: string): Status {
  return status(451, "4.5", `Waits for its turn: ${rate}`);
}

/** Not a failure: the delivery's turn is not before `notBefore`, in ms since the epoch. */
export function untriedOutcome(why: Status, scope: Deferral["scope"], notBefore: number): Deferral {
  return { kind: "deferred", status: why, scope, notBefore, untried: true };
}
