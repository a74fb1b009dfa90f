// How far ahead of the clock the stored time of an attempt may lie.

/** No two attempts lie further apart, whatever the rules grow to (Exim's retry_interval_max). */
export const LONGEST_INTERVAL = 24 * 3_600_000;
export const LONGEST_SPREAD = 300_000;
/** No stored retry time lies further ahead of the clock that was in force when it was worked out; in ms. */
export const LONGEST_WAIT = LONGEST_INTERVAL + LONGEST_SPREAD;
