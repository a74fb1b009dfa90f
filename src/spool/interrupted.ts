// Attempts that a relay did not live to settle.
//
// A message may be what kills the relay: after so many deaths in its attempts it waits, twice as long each time.
// Messages that were only there when somebody pulled the plug do not notice.

const INTERRUPTIONS_BEFORE_WAIT = 5;
/** In ms. */
const FIRST_WAIT = 1000;
const INTERRUPTIONS_COUNTED = 15;

/** Milliseconds that a message waits whose attempts were cut short so often. */
export function waitAfterInterruptions(count: number): number {
  if (count <= INTERRUPTIONS_BEFORE_WAIT) return 0;
  return FIRST_WAIT * 2 ** (Math.min(count, INTERRUPTIONS_COUNTED) - INTERRUPTIONS_BEFORE_WAIT);
}
