// Domains on hold in the spool's database, and the recipients that wait for their release.

import type { DatabaseSync } from "node:sqlite";
import { numberOf, textOf } from "../../base/durable/columns.ts";
import { wakeWaiting } from "./waiting.ts";

type Statements = Pick<DatabaseSync, "prepare">;

export interface StoredHold {
  readonly domain: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

/** The first time counts. */
export function saveHold(database: Statements, { domain, since }: StoredHold): void {
  database.prepare("INSERT OR IGNORE INTO holds (domain, since) VALUES (?, ?)").run(domain, since);
}

export function readHolds(database: Statements): StoredHold[] {
  const rows = database.prepare("SELECT * FROM holds ORDER BY domain").all();
  return rows.map((row) => ({ domain: textOf(row["domain"]), since: numberOf(row["since"]) }));
}

/** Ends the hold; the `most` oldest that wait for it are due at `now`, as if it had not been. How many there were. */
export function releaseHeld(
  database: Statements,
  domain: string,
  most: number,
  now: number,
): number {
  database.prepare("DELETE FROM holds WHERE domain = ?").run(domain);
  const awaited = { column: "held_domain", value: domain } as const;
  return wakeWaiting(database, awaited, { most, now, anew: true });
}

/**
 * Messages that wait for the end of a hold, or will when their time has come. Before version 5 there was no column for
 * it, and the key of what they waited for began with "hold:".
 */
export function countHeld(database: Statements, domain: string, version: number): number {
  const [column, value] = version < 5 ? ["waits_for", `hold:${domain}`] : ["held_domain", domain];
  const row = database
    .prepare(
      `SELECT count(DISTINCT message) AS n FROM recipients WHERE state = 'pending' AND (${column} = ? OR
         CASE WHEN json_valid(request) THEN json_extract(request, '$.mailbox.domain') = ? END)`,
    )
    .get(value, domain);
  return numberOf(row?.["n"]);
}
