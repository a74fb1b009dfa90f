// Times in the spool's database of a clock that was ahead and has been set back since, see src/spool/clock-ahead.ts.

import { clocksNotAheadOf, isAhead, isImpossiblyLate } from "../engine/clock-ahead.ts";
import { LONGEST_WAIT } from "../longest-wait.ts";
import { numberOf } from "../../base/durable/columns.ts";
import type { Clocks } from "../spool.ts";
import type { Database } from "../../base/durable/database.ts";
import { clocksOf } from "./rows.ts";

/** Rows that are checked in one transaction. The number bounds the time for which new mail waits. */
const LOOKED_AT = 2000;
const MENDED_AT_ONCE = 200;

/** Checks messages after the id `after`, in order of id. Returns the id to go on from, or undefined at the end. */
export function mendSome(database: Database, now: number, after: number): number | undefined {
  const rows = database.all(
    `SELECT id, state, ${readable("next_attempt")}, ${readable("scheduled_at")} FROM messages
     WHERE id > ? ORDER BY id LIMIT ?`,
    after,
    LOOKED_AT,
  );
  let mended = 0;
  for (const row of rows) {
    const id = numberOf(row["id"]);
    if (row["state"] === "frozen") continue;
    const isTooLate = isImpossiblyLate(numberOf(row["next_attempt"]), now);
    if (!isTooLate && !isAhead(numberOf(row["scheduled_at"]), now)) continue;
    mendTimes(database, id, now);
    if (++mended === MENDED_AT_ONCE) return id;
  }
  const last = rows.at(-1)?.["id"];
  return rows.length < LOOKED_AT || last === undefined ? undefined : numberOf(last);
}

/** The time in a column, or one that is too late if the column is damaged: that must not keep the spool from being opened. */
function readable(column: string): string {
  const isTime = `typeof(${column}) = 'integer' AND ${column} BETWEEN 0 AND ${Number.MAX_SAFE_INTEGER}`;
  return `iif(${isTime}, ${column}, ${Number.MAX_SAFE_INTEGER}) AS ${column}`;
}

/** Returns queued messages whose next attempt is further ahead than any wait can be. An index makes this cheap. */
export function impossiblyLate(database: Database, now: number, limit: number): number[] {
  const rows = database.all(
    "SELECT id FROM messages WHERE state = 'queued' AND next_attempt > ? LIMIT ?",
    now + LONGEST_WAIT,
    limit,
  );
  return rows.map(({ id }) => numberOf(id));
}

/** Sets every time of the message that is ahead of `now` to `now`. */
export function mendTimes(database: Database, id: number, now: number): void {
  const waiting = database.all(
    "SELECT position, clocks FROM recipients WHERE message = ? AND clocks IS NOT NULL",
    id,
  );
  for (const { position, clocks } of waiting) {
    const mended = notAheadOf(now, clocks);
    if (mended === undefined) continue;
    database.run(
      "UPDATE recipients SET clocks = ? WHERE message = ? AND position = ?",
      JSON.stringify(mended),
      id,
      numberOf(position),
    );
  }
  database.run(
    `UPDATE recipients SET next_attempt = min(next_attempt, ?), first_failure = min(first_failure, ?)
     WHERE message = ? AND state = 'pending'`,
    now,
    now,
    id,
  );
  database.run(
    "UPDATE messages SET next_attempt = max(0, min(next_attempt, ?)), scheduled_at = ? WHERE id = ?",
    now,
    now,
    id,
  );
}

/** Undefined if the clocks are damaged: the message is set aside when it is due. */
function notAheadOf(now: number, stored: unknown): Clocks | undefined {
  const clocks = readClocks(stored);
  return clocks && clocksNotAheadOf(now, clocks);
}

function readClocks(stored: unknown): Clocks | undefined {
  try {
    return clocksOf(stored);
  } catch {
    return undefined;
  }
}
