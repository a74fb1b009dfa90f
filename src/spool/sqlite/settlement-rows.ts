// Writes the changes of an attempt into the rows of its message.

import type { Database } from "../../base/durable/database.ts";
import type { Write } from "./rows.ts";

/**
 * The message must exist. Runs inside the caller's transaction. If the clock has been set back, recipients that were not
 * attempted still have times of that clock: the message keeps its reading, by which Spool.clockSet finds them.
 */
export function writeSettlement(
  database: Database,
  settled: Extract<Write, { kind: "settle" }>,
): void {
  for (const entry of settled.journal) {
    database.run(
      "INSERT OR REPLACE INTO journal (message, unseen, target, outcome, at, homonym, position, address, router, transport) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      settled.id,
      entry.unseen === true ? 1 : 0,
      entry.target,
      entry.outcome,
      entry.at,
      entry.homonym === true ? 1 : 0,
      entry.position,
      entry.address,
      entry.router,
      entry.transport,
    );
  }
  for (const change of settled.recipients) {
    database.run(
      "UPDATE recipients SET state = ?, attempts = ?, first_failure = ?, next_attempt = ?, last_status = ?, waits_for = ?, waits_for_host = ?, held_domain = ?, held_transport = ?, withheld = ?, waits_because = ?, clocks = ?, forced = 0, mail_done = ?, frozen_why = ? WHERE message = ? AND position = ?",
      change.state,
      change.attempts,
      change.firstFailure ?? null,
      change.nextAttempt,
      change.lastStatus === undefined ? null : JSON.stringify(change.lastStatus),
      change.waitsFor?.key ?? null,
      change.waitsFor?.host ?? null,
      change.heldDomain ?? null,
      change.heldTransport ?? null,
      change.withheld === true ? 1 : 0,
      change.waitsBecause ?? null,
      change.clocks === undefined ? null : JSON.stringify(change.clocks),
      change.mailDone === true ? 1 : 0,
      change.frozenWhy ?? null,
      settled.id,
      change.position,
    );
  }
  if (settled.state === undefined) return;
  database.run(
    `UPDATE messages SET state = ?, warnings = ?, scheduled_at = max(scheduled_at, ?), vouched = coalesce(?, vouched),
       vouch_tries = coalesce(?, vouch_tries), next_attempt = coalesce(
       (SELECT min(next_attempt) FROM recipients WHERE message = ? AND state = 'pending'), next_attempt)
     WHERE id = ?`,
    settled.state,
    settled.warnings,
    settled.at,
    flagOf(settled.vouched),
    settled.vouchTries ?? null,
    settled.id,
    settled.id,
  );
}

/** Returns the value of a column that may be unknown. */
export function flagOf(flag: boolean | undefined): number | null {
  return flag === undefined ? null : Number(flag);
}
