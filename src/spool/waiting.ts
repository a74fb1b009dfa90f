// Recipients in the spool's database that wait for something: the end of a hint, or of a hold.

import type { DatabaseSync } from "node:sqlite";
import { numberOf } from "./rows.ts";

/**
 * Makes the `most` oldest recipients that wait for `key` due at `now`; how many there were. `anew`: it was no failure
 * that they waited, and their retry rules begin when the next one comes.
 */
export function wakeWaiting(
  database: Pick<DatabaseSync, "prepare">,
  key: string,
  { most, now, anew }: { readonly most: number; readonly now: number; readonly anew: boolean },
): number {
  const waiting = database
    .prepare(
      `SELECT message, position FROM recipients WHERE waits_for = ? AND state = 'pending'
       ORDER BY message, position LIMIT ?`,
    )
    .all(key, most);
  const wake = database.prepare(
    `UPDATE recipients SET next_attempt = min(next_attempt, ?), waits_for = NULL,
       first_failure = CASE WHEN ? THEN NULL ELSE first_failure END
     WHERE message = ? AND position = ?`,
  );
  const wakeMessage = database.prepare(
    "UPDATE messages SET next_attempt = min(next_attempt, ?) WHERE id = ? AND state = 'queued'",
  );
  for (const row of waiting) {
    const message = numberOf(row["message"]);
    wake.run(now, anew ? 1 : 0, message, numberOf(row["position"]));
    wakeMessage.run(now, message);
  }
  return waiting.length;
}
