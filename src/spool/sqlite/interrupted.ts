// Attempts in the spool's database that were interrupted by the end of the relay.

import { numberOf } from "../../base/durable/columns.ts";
import type { Database } from "../../base/durable/database.ts";
import { waitAfterInterruptions } from "../engine/interrupted.ts";

/** The number of interruptions with this one. A damaged number must not keep the spool from being opened. */
const COUNT = "max(0, min(1000, coalesce(CAST(interruptions AS INTEGER), 0))) + 1";

/**
 * Makes interrupted messages due at `now`, or later after many interruptions. Returns their number. Runs inside the
 * caller's transaction.
 */
export function endInterrupted(database: Database, now: number): number {
  const counts = database.all(
    `SELECT DISTINCT ${COUNT} AS count FROM messages WHERE state = 'active'`,
  );
  let ended = 0;
  for (const count of counts.map((row) => numberOf(row["count"]))) {
    ended += database.run(
      `UPDATE messages SET state = 'queued', interruptions = ?, scheduled_at = ?, next_attempt = ?
       WHERE state = 'active' AND ${COUNT} = ?`,
      count,
      now,
      now + waitAfterInterruptions(count),
      count,
    );
  }
  return ended;
}
