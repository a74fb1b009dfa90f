// Retry hints in the spool's database, and the recipients that wait for the end of one.

import type { DatabaseSync } from "node:sqlite";
import type { HostHint } from "../hints.ts";
import { numberOf, statusOf, textOf } from "./rows.ts";

type Statements = Pick<DatabaseSync, "prepare">;

/** Undefined forgets the hint. */
export function saveHint(database: Statements, key: string, hint: HostHint | undefined): void {
  if (hint === undefined) database.prepare("DELETE FROM hints WHERE key = ?").run(key);
  else {
    database
      .prepare(
        "INSERT OR REPLACE INTO hints (key, first_failure, next_try, status) VALUES (?, ?, ?, ?)",
      )
      .run(key, hint.firstFailure, hint.nextTry, JSON.stringify(hint.status));
  }
}

export function readHints(database: Statements): [key: string, hint: HostHint][] {
  const rows = database.prepare("SELECT * FROM hints").all();
  return rows.map((row) => [
    textOf(row["key"]),
    {
      firstFailure: numberOf(row["first_failure"]),
      nextTry: numberOf(row["next_try"]),
      status: statusOf(row["status"]),
    },
  ]);
}

/** Makes the `most` oldest recipients that wait for a hint's end due at `now`. How many there were. */
export function wakeWaiting(
  database: Statements,
  waitsFor: string,
  most: number,
  now: number,
): number {
  const woken = database
    .prepare(
      "SELECT message, position FROM recipients WHERE waits_for = ? AND state = 'pending' ORDER BY message, position LIMIT ?",
    )
    .all(waitsFor, most);
  const makeDue = database.prepare(
    "UPDATE recipients SET next_attempt = min(next_attempt, ?), waits_for = NULL WHERE message = ? AND position = ?",
  );
  const wakeMessage = database.prepare(
    "UPDATE messages SET next_attempt = min(next_attempt, ?) WHERE id = ? AND state = 'queued'",
  );
  for (const row of woken) {
    const message = numberOf(row["message"]);
    makeDue.run(now, message, numberOf(row["position"]));
    wakeMessage.run(now, message);
  }
  return woken.length;
}
