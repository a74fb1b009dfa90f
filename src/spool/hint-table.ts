// Retry hints in the spool's database, and the recipients that wait for a host.

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

/** Who waits for the host is due at `now`. */
export function wakeWaiting(database: Statements, host: string, now: number): void {
  const waiting = "SELECT message FROM recipients WHERE waits_for = ? AND state = 'pending'";
  database
    .prepare(`UPDATE messages SET next_attempt = ? WHERE state = 'queued' AND id IN (${waiting})`)
    .run(now, host);
  database
    .prepare(
      "UPDATE recipients SET next_attempt = ?, waits_for = NULL WHERE waits_for = ? AND state = 'pending'",
    )
    .run(now, host);
}
