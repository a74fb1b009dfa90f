// Retry hints in the spool's database.

import type { DatabaseSync } from "node:sqlite";
import type { HostHint } from "../../mail/host.ts";
import { numberOf, type Row, textOf } from "../../base/durable/columns.ts";
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

/** Returns all hints but damaged ones: a lost hint costs one connection that fails. */
export function readHints(database: Statements): [key: string, hint: HostHint][] {
  const times = ["first_failure", "next_try", "saved_at"].map(
    (column) => `${column} BETWEEN 0 AND ${Number.MAX_SAFE_INTEGER}`,
  );
  const rows = database.prepare(`SELECT * FROM hints WHERE ${times.join(" AND ")}`).all();
  return rows.flatMap((row) => {
    try {
      return [hintOf(row)];
    } catch {
      return [];
    }
  });
}

function hintOf(row: Row): [key: string, hint: HostHint] {
  const hint = {
    firstFailure: numberOf(row["first_failure"]),
    nextTry: numberOf(row["next_try"]),
    status: statusOf(row["status"]),
    savedAt: numberOf(row["saved_at"]),
  };
  return [textOf(row["key"]), hint];
}
