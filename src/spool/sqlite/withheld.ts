// Mail in the spool's database that waits, or has waited, for the release of a transport on hold.

import type { DatabaseSync } from "node:sqlite";
import type { Database } from "../../base/durable/database.ts";
import { numberOf, type Row, textOf } from "../../base/durable/columns.ts";
import type { QueueWithheld } from "../queue-view.ts";
import type { ReleasedWithheld } from "../spool.ts";

type Statements = Pick<DatabaseSync, "prepare">;

export interface StoredWithheldKey {
  readonly message: number;
  readonly position: number;
}

export interface StoredWithheld extends StoredWithheldKey {
  readonly address: string;
}

/** The version of the tables that has its columns first. */
export const WITHHELD_SINCE = 9;

const WAITING = "held_transport IS NOT NULL AND state = 'pending'";
const RELEASED =
  "withheld = 1 AND held_transport IS NULL AND state = 'pending' AND mail_done = 0 AND held_domain IS NULL";
/** A damaged request must not end a release: its message is set aside when it is attempted. */
const ADDRESS =
  "coalesce(CASE WHEN json_valid(request) THEN json_extract(request, '$.mailbox.address') END, '')";

/** The recipients that wait, oldest first, after this one. */
function readWithheld(
  database: Statements,
  most: number,
  after: number,
  position: number,
): StoredWithheld[] {
  const rows = database
    .prepare(
      `SELECT message, position, ${ADDRESS} AS address FROM recipients
       WHERE ${WAITING} AND (message, position) > (?, ?) ORDER BY message, position LIMIT ?`,
    )
    .all(after, position, most);
  return rows.map(storedOf);
}

function storedOf(row: Row): StoredWithheld {
  return {
    message: numberOf(row["message"]),
    position: numberOf(row["position"]),
    address: textOf(row["address"]),
  };
}

/** Makes those of these recipients that wait due at `now`. Their retry rules begin at their next failure. */
function releaseWithheld(
  database: Statements,
  which: readonly StoredWithheldKey[],
  forced: boolean,
  now: number,
): void {
  const release = database.prepare(
    `UPDATE recipients SET next_attempt = min(next_attempt, ?), forced = max(forced, ?), held_transport = NULL, attempts = 0,
       first_failure = NULL, last_status = NULL, waits_because = NULL
     WHERE message = ? AND position = ? AND ${WAITING}`,
  );
  const wake = database.prepare(
    "UPDATE messages SET next_attempt = min(next_attempt, ?) WHERE id = ? AND state = 'queued'",
  );
  for (const { message, position } of which) {
    if (release.run(now, Number(forced), message, position).changes === 0) continue;
    wake.run(now, message);
  }
}

export interface StoredReleased extends Pick<ReleasedWithheld, "atHosts"> {
  readonly untried: StoredWithheld[];
}

/** Those that are released and not delivered, with at most `most` that are untried. */
function readReleased(database: Statements, most: number): StoredReleased {
  const untried = database
    .prepare(
      `SELECT message, position, ${ADDRESS} AS address FROM recipients
       WHERE ${RELEASED} AND attempts = 0 ORDER BY message, position LIMIT ?`,
    )
    .all(most);
  const atHosts = database
    .prepare(`SELECT count(waits_for_host) AS n FROM recipients WHERE ${RELEASED}`)
    .get();
  return { untried: untried.map(storedOf), atHosts: numberOf(atHosts?.["n"]) };
}

/** As in src/spool/queue-view.ts. */
export function withheldAddresses(database: Statements): QueueWithheld[] {
  const rows = database
    .prepare(
      `SELECT lower(${ADDRESS}) AS recipient, count(*) AS messages FROM recipients
       WHERE ${WAITING} GROUP BY 1 ORDER BY 1`,
    )
    .all();
  return rows.map((row) => ({
    recipient: textOf(row["recipient"]),
    messages: numberOf(row["messages"]),
  }));
}

/**
 * Makes waiting mail due at `now`, of at most `most` messages after the id `after`, unless it waits for a release.
 * Returns the last of them; undefined at the end.
 */
function hasten(
  database: Statements,
  most: number,
  after: number,
  now: number,
): number | undefined {
  const ids = database
    .prepare("SELECT id FROM messages WHERE id > ? AND state = 'queued' ORDER BY id LIMIT ?")
    .all(after, most)
    .map(({ id }) => numberOf(id));
  const recipients = database.prepare(
    `UPDATE recipients SET next_attempt = ?1 WHERE message = ?2 AND state = 'pending' AND next_attempt > ?1
       AND held_domain IS NULL AND held_transport IS NULL`,
  );
  const message = database.prepare("UPDATE messages SET next_attempt = ?1 WHERE id = ?2");
  for (const id of ids) if (recipients.run(now, id).changes > 0) message.run(now, id);
  return ids.length < most ? undefined : ids.at(-1);
}

/** Mail that waits, or has waited: the calls of the relay, a transaction each. */
export class WithheldMail {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  page(most: number, after: number, position: number): StoredWithheld[] {
    return readWithheld(this.#database, most, after, position);
  }

  release(which: readonly StoredWithheldKey[], forced: boolean, now: number): void {
    this.#database.atomically(() => releaseWithheld(this.#database, which, forced, now));
  }

  released(most: number): StoredReleased {
    return readReleased(this.#database, most);
  }

  hasten(most: number, after: number, now: number): number | undefined {
    return this.#database.atomically(() => hasten(this.#database, most, after, now));
  }
}
