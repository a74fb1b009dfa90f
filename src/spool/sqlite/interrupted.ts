// Attempts that a relay did not live to settle.

import type { Database } from "../../base/durable/database.ts";

/**
 * A message may be what kills the relay: after so many deaths in its attempts it waits, twice as long each time, in
 * ms. Messages that were only there when somebody pulled the plug do not notice.
 */
const INTERRUPTIONS_BEFORE_WAIT = 5;
const INTERRUPTION_WAIT = 1000;
const INTERRUPTIONS_COUNTED = 15;

/** They are due at `now`, or a little later. How many there were. */
export function endInterrupted(database: Database, now: number): number {
  return database.run(
    `UPDATE messages SET state = 'queued', interruptions = interruptions + 1, scheduled_at = ?,
       next_attempt = ? + CASE WHEN interruptions + 1 > ? THEN ? << min(interruptions + 1, ?) - ? ELSE 0 END
     WHERE state = 'active'`,
    now,
    now,
    INTERRUPTIONS_BEFORE_WAIT,
    INTERRUPTION_WAIT,
    INTERRUPTIONS_COUNTED,
    INTERRUPTIONS_BEFORE_WAIT,
  );
}
