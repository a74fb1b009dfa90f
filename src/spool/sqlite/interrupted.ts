// Attempts under way in the spool's database that a relay did not live to settle.

import { numberOf } from "../../base/durable/columns.ts";
import type { Database } from "../../base/durable/database.ts";
import { waitAfterInterruptions } from "../interrupted.ts";

/** They are due at `now`, or a little later. How many there were. Inside the caller's transaction. */
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
