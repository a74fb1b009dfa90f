// The postmaster's orders for messages that wait: changes of rows in the spool's database, inside the caller's
// transaction.
//
// Invariants:
// - A message under attempt is left alone, because its attempt will decide its state.
// - The state of a message follows from its recipients.

import type { MessageId } from "../../mail/envelope.ts";
import type { Action, AddressFilter, Change } from "../spool.ts";
import type { Database } from "../../base/durable/database.ts";
import { idNumber, idText } from "../../mail/ids.ts";
import { type Condition, recipientCondition } from "./selection.ts";

export interface Wanted {
  readonly action: Action;
  /** Limits the order to these recipients of each message. "remove" always takes the whole message. */
  readonly only: AddressFilter | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly remove: (id: number) => void;
}

export function changeMessages(
  database: Database,
  { action, only, now, remove }: Wanted,
  ids: readonly MessageId[],
): Change[] {
  const meant = recipientCondition(only);
  return changeEach(database, ids, (id) => {
    if (action === "remove") {
      remove(id);
      return "done";
    }
    let changed =
      action === "freeze" ? freeze(database, id, meant) : thaw(database, id, meant, now);
    if (action === "retry") changed = makeDue(database, id, meant, now);
    if (changed === 0) return "unchanged";
    follow(database, id);
    return action === "retry" && areHeld(database, id, meant) ? "held" : "done";
  });
}

/** Calls `change` for each message that exists and is not under attempt. */
export function changeEach(
  database: Database,
  ids: readonly MessageId[],
  change: (id: number) => Change["result"],
): Change[] {
  return ids.map((id) => {
    const number = idNumber(id);
    const row = database.get("SELECT state FROM messages WHERE id = ?", number);
    if (row === undefined || idText(number) !== id) return { id, result: "unknown" };
    if (row["state"] === "active") return { id, result: "active" };
    return { id, result: change(number) };
  });
}

/** Freezes recipients. Returns their number. */
function freeze(database: Database, id: number, { sql, values }: Condition): number {
  return database.run(
    `UPDATE recipients SET state = 'frozen', frozen_why = 'ordered'
     WHERE message = ? AND (state = 'pending' OR state = 'frozen' AND frozen_why IS NOT 'ordered') AND ${sql}`,
    id,
    ...values,
  );
}

/**
 * Makes frozen recipients due. Their retry rules begin anew, because they may have ended meanwhile. If several
 * recipients lead to one frozen delivery, it is thawed with any of them, unless the recipient in its journal entry is
 * pending and not selected. Returns the number of recipients.
 */
function thaw(database: Database, id: number, { sql, values }: Condition, now: number): number {
  const frozen = "SELECT position FROM journal WHERE message = ? AND outcome = 'frozen'";
  const thawed = database.run(
    `UPDATE recipients SET
       first_failure = CASE state WHEN 'frozen' THEN NULL ELSE first_failure END,
       clocks = CASE state WHEN 'frozen' THEN NULL ELSE clocks END,
       state = 'pending', next_attempt = ?, waits_for = NULL, waits_for_host = NULL,
       held_domain = NULL, held_transport = NULL, waits_because = NULL, frozen_why = NULL
     WHERE message = ? AND (state = 'frozen' OR state = 'pending' AND position IN (${frozen})) AND ${sql}`,
    now,
    id,
    id,
    ...values,
  );
  database.run(
    `DELETE FROM journal WHERE message = ? AND outcome = 'frozen' AND position NOT IN
       (SELECT position FROM recipients WHERE message = ? AND state = 'pending' AND NOT (${sql}))`,
    id,
    id,
    ...values,
  );
  return thawed;
}

/** Makes recipients due by the postmaster's order, whatever the hints say. Returns their number. */
function makeDue(database: Database, id: number, { sql, values }: Condition, now: number): number {
  return database.run(
    `UPDATE recipients SET next_attempt = ?, forced = 1, waits_because = NULL
     WHERE message = ? AND state = 'pending' AND ${sql}`,
    now,
    id,
    ...values,
  );
}

/** Whether each selected recipient is for a domain on hold, or waits for a transport on hold, and has no waiting copy, so that nothing of it is tried. */
function areHeld(database: Database, id: number, { sql, values }: Condition): boolean {
  const free = database.get(
    `SELECT 1 FROM recipients WHERE message = ? AND state = 'pending' AND ${sql}
       AND (clocks IS NOT NULL OR held_domain IS NULL AND held_transport IS NULL AND NOT (json_valid(request)
         AND json_extract(request, '$.mailbox.domain') IN (SELECT domain FROM holds))) LIMIT 1`,
    id,
    ...values,
  );
  return free === undefined;
}

function follow(database: Database, id: number): void {
  const pending = "FROM recipients WHERE message = ? AND state = 'pending'";
  database.run(
    `UPDATE messages SET
       state = CASE WHEN EXISTS (SELECT 1 ${pending}) THEN 'queued' ELSE 'frozen' END, frozen_for = 0,
       next_attempt = coalesce((SELECT min(next_attempt) ${pending}), next_attempt)
     WHERE id = ?`,
    id,
    id,
    id,
  );
}
