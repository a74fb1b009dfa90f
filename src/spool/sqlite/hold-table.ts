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

/** Puts the domain on hold. If it is on hold already, the earlier `since` is kept. */
export function saveHold(database: Statements, { domain, since }: StoredHold): void {
  database.prepare("INSERT OR IGNORE INTO holds (domain, since) VALUES (?, ?)").run(domain, since);
}

/** Returns all holds. One whose time is damaged still holds its domain. */
export function readHolds(database: Statements): StoredHold[] {
  const isTime = `typeof(since) = 'integer' AND since BETWEEN 0 AND ${Number.MAX_SAFE_INTEGER}`;
  const rows = database
    .prepare(`SELECT domain, iif(${isTime}, since, 0) AS since FROM holds ORDER BY domain`)
    .all();
  return rows.map((row) => ({ domain: textOf(row["domain"]), since: numberOf(row["since"]) }));
}

/**
 * Ends the hold. Makes the oldest recipients that wait for it due at `now`, at most `most`, as if they had not waited.
 * Returns their number.
 */
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
 * Counts messages that wait for the end of a hold now, or will when they are due. Before version 5, such recipients had
 * a key that began with "hold:" instead of a column.
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
