// Stored times of a clock that was ahead and has been set back since. Mail that they put off is due now.
//
// Invariant: whatever is done to the clock, a message waits no longer than its last settlement intended.

import { given } from "../../base/given.ts";
import { LONGEST_WAIT } from "../longest-wait.ts";
import type { Clocks, Wait } from "../spool.ts";

/** Milliseconds by which NTP may set a clock back without consequences here. */
const TOLERANCE = 5000;

/** Whether `at` was read from a clock that has been set back since. */
export function isAhead(at: number, now: number): boolean {
  return at > now + TOLERANCE;
}

/** Whether the next attempt is further ahead than any wait can be. */
export function isImpossiblyLate(nextAttempt: number, now: number): boolean {
  return nextAttempt > now + LONGEST_WAIT;
}

/** Returns the clocks with every time ahead of `now` set to `now`. */
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
