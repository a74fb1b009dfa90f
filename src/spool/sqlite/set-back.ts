// Times in the spool's database that were written by a clock which was ahead of the one in force: it has been set back
// since. What they put off is due now.
//
// Invariant: a message waits no longer than from its last settlement to its next attempt, whatever the clock says.

import { given } from "../../base/given.ts";
import { LONGEST_WAIT } from "../longest-wait.ts";
import { numberOf } from "../../base/durable/columns.ts";
import type { Clocks, Wait } from "../spool.ts";
import type { Database } from "../../base/durable/database.ts";
import { clocksOf } from "./rows.ts";

/** What NTP may set a clock back by without anybody noticing; in ms. */
const TOLERANCE = 5000;
/** Rows that are looked at in one transaction: mail that arrives meanwhile waits no longer than for that. */
const LOOKED_AT = 2000;
const MENDED_AT_ONCE = 200;

/** Was it read from a clock that has been set back since? */
export function isAhead(at: number, now: number): boolean {
  return at > now + TOLERANCE;
}

/** Looks at messages behind `after`, in the order of their ids. Where to go on; undefined when there are no more. */
export function mendSome(database: Database, now: number, after: number): number | undefined {
  const rows = database.all(
    "SELECT id, state, next_attempt, scheduled_at FROM messages WHERE id > ? ORDER BY id LIMIT ?",
    after,
    LOOKED_AT,
  );
  let mended = 0;
  for (const row of rows) {
    const id = numberOf(row["id"]);
    if (row["state"] === "frozen") continue;
    const isTooLate = numberOf(row["next_attempt"]) > now + LONGEST_WAIT;
    if (!isTooLate && !isAhead(numberOf(row["scheduled_at"]), now)) continue;
    mendTimes(database, id, now);
    if (++mended === MENDED_AT_ONCE) return id;
  }
  const last = rows.at(-1)?.["id"];
  return rows.length < LOOKED_AT || last === undefined ? undefined : numberOf(last);
}

/** Queued messages whose next attempt lies further ahead than it can; by the index, so that it costs nothing. */
export function impossiblyLate(database: Database, now: number, limit: number): number[] {
  const rows = database.all(
    "SELECT id FROM messages WHERE state = 'queued' AND next_attempt > ? LIMIT ?",
    now + LONGEST_WAIT,
    limit,
  );
  return rows.map(({ id }) => numberOf(id));
}

/** No time of this message lies ahead of `now`. */
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
    "UPDATE messages SET next_attempt = min(next_attempt, ?), scheduled_at = ? WHERE id = ?",
    now,
    now,
    id,
  );
}

/** Undefined when they are damaged: the message is set aside when its turn comes. */
function notAheadOf(now: number, stored: unknown): Clocks | undefined {
  const clocks = readClocks(stored);
  if (clocks === undefined) return undefined;
  const { mail, copies } = clocks;
  const before = <T extends Wait>(wait: T): T => ({
    ...wait,
    nextAttempt: Math.min(wait.nextAttempt, now),
  });
  return {
    ...given({ mail: mail && before(mail) }),
    copies: copies.map((copy) => ({
      ...before(copy),
      firstFailure: Math.min(copy.firstFailure, now),
    })),
  };
}

function readClocks(stored: unknown): Clocks | undefined {
  try {
    return clocksOf(stored);
  } catch {
    return undefined;
  }
}
