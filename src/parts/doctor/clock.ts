// Whether the clock of this machine is right, by the Date of two hosts (RFC 9110 6.6.1). A wrong clock spoils the dates of
// mail, the checks of certificates and signatures, and the sync with Google.

import { errorCode } from "../../base/error-code.ts";
import { exchange } from "../../base/net/https.ts";
import type { CheckPart, Setup } from "./check.ts";
import { readingProblem } from "./certificates.ts";
import { failure, type Finding, ok, skipped, warning } from "./finding.ts";

/** Two hosts of different owners, whose clocks are good. */
const HOSTS = ["www.google.com", "www.cloudflare.com"] as const;
const SECOND = 1000;
/** Milliseconds by which the clock may differ: a Date has whole seconds, and the answer takes its time. */
const TOLERANCE = 5 * SECOND;
/** Milliseconds from which tokens and signatures are refused. */
const HARMFUL = 300 * SECOND;
/** Milliseconds for one answer. */
const PATIENCE = 15_000;

const ADVICE = "Let a time service set the clock: chrony, ntpd or systemd-timesyncd.";

export function checkClock(setup: Setup): readonly CheckPart[] {
  return [{ about: "the clock", findings: compare(setup) }];
}

interface Time {
  readonly host: string;
  /** Milliseconds by which our clock is ahead of the host's. */
  readonly ahead: number;
}

async function compare(setup: Setup): Promise<Finding> {
  const asked = await Promise.allSettled(HOSTS.map((host) => timeOf(host, setup)));
  const times = asked.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  const [first, second] = times;
  if (first === undefined || second === undefined) return unknown(asked);
  const shown = times.map(({ host, ahead }) => `${host} ${offsetText(ahead)}`).join(", ");
  if (Math.abs(first.ahead - second.ahead) > 2 * TOLERANCE) {
    return skipped(`the two hosts do not agree on the time (our clock: ${shown})`);
  }
  const off = Math.min(Math.abs(first.ahead), Math.abs(second.ahead));
  if (off <= TOLERANCE) return ok(`the clock agrees with ${HOSTS.join(" and ")}`);
  const found = `the clock of this machine is wrong: ${shown}`;
  return off >= HARMFUL ? failure(found, ADVICE) : warning(found, ADVICE);
}

function offsetText(ahead: number): string {
  const seconds = Math.round(Math.abs(ahead) / SECOND);
  return `${seconds} s ${ahead < 0 ? "behind" : "ahead"}`;
}

async function timeOf(host: string, { chain, clock, signal }: Setup): Promise<Time> {
  const own = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]);
  const means = { ...chain.outside, clock, signal: own };
  const request = { host, method: "HEAD", path: "/", headers: { host } };
  const asked = clock.now();
  const date = await exchange(request, means, ({ headers }) => headers.date ?? "");
  const theirs = Date.parse(date);
  if (Number.isNaN(theirs)) throw new Error(`${host} sends no Date`);
  // The middle of the time in which the host has written the Date, which has no fractions.
  const ours = (asked + clock.now()) / 2;
  return { host, ahead: ours - (theirs + SECOND / 2) };
}

const DATES: ReadonlySet<string> = new Set(["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"]);

function unknown(asked: readonly PromiseSettledResult<Time>[]): Finding {
  const errors = asked.flatMap((answer) => (answer.status === "rejected" ? [answer.reason] : []));
  if (
    errors.length === HOSTS.length &&
    errors.every((error) => DATES.has(errorCode(error) ?? ""))
  ) {
    const found = "the clock of this machine is wrong: no certificate is valid at its time";
    return failure(found, ADVICE);
  }
  const [error] = errors;
  return skipped(
    `the time of two hosts (${HOSTS.join(", ")}) is not known: ${readingProblem(error)}`,
  );
}
