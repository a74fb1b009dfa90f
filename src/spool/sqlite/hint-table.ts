// Retry hints in the spool's database.

import type { DatabaseSync } from "node:sqlite";
import type { HostHint } from "../../mail/host.ts";
import { numberOf, textOf } from "../../base/durable/columns.ts";
import { statusOf } from "./rows.ts";

type Statements = Pick<DatabaseSync, "prepare">;

/** Saves the hint. Undefined deletes it. */
export function saveHint(database: Statements, key: string, hint: HostHint | undefined): void {
  if (hint === undefined) database.prepare("DELETE FROM hints WHERE key = ?").run(key);
  else {
    database
      .prepare(
        "INSERT OR REPLACE INTO hints (key, first_failure, next_try, status, saved_at) VALUES (?, ?, ?, ?, ?)",
      )
      .run(key, hint.firstFailure, hint.nextTry, JSON.stringify(hint.status), hint.savedAt);
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
      savedAt: numberOf(row["saved_at"]),
    },
  ]);
}
