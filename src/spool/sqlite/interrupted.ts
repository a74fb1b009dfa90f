// Attempts in the spool's database that were interrupted by the end of the relay.

import { numberOf } from "../../base/durable/columns.ts";
import type { Database } from "../../base/durable/database.ts";
import { waitAfterInterruptions } from "../engine/interrupted.ts";

/**
 * Makes interrupted messages due at `now`, or later after many interruptions. Returns their number. Runs inside the
 * caller's transaction.
 */
export function endInterrupted(database: Database, now: number): number {
  const active = database.all("SELECT id, interruptions FROM messages WHERE state = 'active'");
  for (const { id, interruptions } of active) {
    const count = numberOf(interruptions) + 1;
    database.run(
      `UPDATE messages SET state = 'queued', interruptions = ?, scheduled_at = ?, next_attempt = ?
       WHERE id = ?`,
      count,
      now,
      now + waitAfterInterruptions(count),
      numberOf(id),
    );
  }
  return active.length;
}
