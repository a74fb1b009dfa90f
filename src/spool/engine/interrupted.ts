// Attempts that were interrupted by the end of the relay.
//
// The message under attempt may be what kills the relay. So after more than 5 interruptions it waits, and twice as long
// after each further one. Messages that were merely under attempt during a power cut stay below that number.

const INTERRUPTIONS_BEFORE_WAIT = 5;
/** Milliseconds. */
const FIRST_WAIT = 1000;
const INTERRUPTIONS_COUNTED = 15;

/** Returns the milliseconds that a message waits after `count` interrupted attempts. */
export function waitAfterInterruptions(count: number): number {
  if (count <= INTERRUPTIONS_BEFORE_WAIT) return 0;
  return FIRST_WAIT * 2 ** (Math.min(count, INTERRUPTIONS_COUNTED) - INTERRUPTIONS_BEFORE_WAIT);
}
