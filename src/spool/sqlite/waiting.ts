// Recipients in the spool's database that wait for the end of a hint or of a hold.

import type { DatabaseSync } from "node:sqlite";
import { numberOf, textOf } from "../../base/durable/columns.ts";

/** The column of the wait, and its value. */
interface Awaited {
  readonly column: "waits_for" | "held_domain";
  readonly value: string;
}

/**
 * Returns the keys of awaited hints, each once, at most `most`. It reads the index once for each key, not for each row.
 */
export function awaitedKeys(database: Pick<DatabaseSync, "prepare">, most: number): string[] {
  const keys = database.prepare(
    `WITH RECURSIVE awaited (key) AS (
       SELECT min(waits_for) FROM recipients WHERE waits_for IS NOT NULL
       UNION ALL
       SELECT (SELECT min(waits_for) FROM recipients WHERE waits_for > key) FROM awaited
         WHERE key IS NOT NULL
     )
     SELECT key FROM awaited WHERE key IS NOT NULL LIMIT ?`,
  );
  return keys.all(most).map(({ key }) => textOf(key));
}

/**
 * Makes the oldest recipients that wait for it due at `now`, at most `most`. Returns their number. `anew`: the wait was
 * not a failure, so retry rules begin at the next failure, and a status that only explained the wait is dropped.
 */
export function wakeWaiting(
  database: Pick<DatabaseSync, "prepare">,
  { column, value }: Awaited,
  { most, now, anew }: { readonly most: number; readonly now: number; readonly anew: boolean },
): number {
  const waiting = database
    .prepare(
      `SELECT message, position FROM recipients WHERE ${column} = ? AND state = 'pending'
       ORDER BY message, position LIMIT ?`,
    )
    .all(value, most);
  const wake = database.prepare(
    `UPDATE recipients SET next_attempt = min(next_attempt, ?1), ${column} = NULL,
       waits_for_host = iif(${column === "waits_for"}, NULL, waits_for_host),
       first_failure = CASE WHEN ?2 THEN NULL ELSE first_failure END,
       last_status = CASE WHEN ?2 AND attempts = 0 THEN NULL ELSE last_status END,
       waits_because = NULL
     WHERE message = ?3 AND position = ?4`,
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
