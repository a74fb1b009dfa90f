// The longest time, in ms, between the clock and the stored time of the next attempt.

/** The longest interval between two attempts, whatever the retry rules grow to (Exim's retry_interval_max). */
export const LONGEST_INTERVAL = 24 * 3_600_000;
export const LONGEST_SPREAD = 300_000;
/** No stored retry time is further ahead of the clock that it was computed with. */
export const LONGEST_WAIT = LONGEST_INTERVAL + LONGEST_SPREAD;
