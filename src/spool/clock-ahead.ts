// Stored times that were worked out by a clock which was ahead of the one in force: it has been set back since. What
// they put off is due now.
//
// Invariant: a message waits no longer than from its last settlement to its next attempt, whatever the clock says.

import { given } from "../base/given.ts";
import { LONGEST_WAIT } from "./longest-wait.ts";
import type { Clocks, Wait } from "./spool.ts";

/** What NTP may set a clock back by without anybody noticing; in ms. */
const TOLERANCE = 5000;

/** Was it read from a clock that has been set back since? */
export function isAhead(at: number, now: number): boolean {
  return at > now + TOLERANCE;
}

/** Does the next attempt lie further ahead than it can, by any clock? */
export function isImpossiblyLate(nextAttempt: number, now: number): boolean {
  return nextAttempt > now + LONGEST_WAIT;
}

/** No time of them lies ahead of `now`. */
export function clocksNotAheadOf(now: number, { mail, copies }: Clocks): Clocks {
  const before = <T extends Wait>(wait: T): T => ({
    ...wait,
    nextAttempt: Math.min(wait.nextAttempt, now),
  });
  return {
    ...given({ mail: mail && before(mail) }),
    copies: copies.map((copy) => ({
      ...before(copy),
      firstFailure: Math.min(copy.firstFailure, now),
    })),
  };
}
