// The tables of the spool. Bodies have a table of their own, so that a change of state never rewrites a body.
// `scheduled_at` and `saved_at` are the reading of the wall clock from which the time beside them was computed. If it
// is ahead of the present clock, the clock has been set back since.

import type { Database } from "../../base/durable/database.ts";
import { insertRows } from "./restore.ts";
import { withOrders, withTypedWaits } from "./upgrade.ts";
import { columnValueOf, numberOf } from "../../base/durable/columns.ts";

/**
 * Rises with every change of the tables, and with every new demand that an envelope can make: a program that does not
 * know REQUIRETLS must not deliver a message that requires it. A spool of an unknown version is refused.
 */
export const SCHEMA_VERSION = 9;

/** The postmaster's list of failures that no sender is told of. `listed_more` counts entries above the limit. */
const LISTED = `
CREATE TABLE listed (
  number INTEGER PRIMARY KEY,
  why    TEXT    NOT NULL,
  at     INTEGER NOT NULL,
  entry  TEXT    NOT NULL
) STRICT;
CREATE TABLE listed_more (
  why   TEXT    PRIMARY KEY,
  count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;

type Step = (database: Database) => void;

/** The steps from each older version to the next one. */
const UPGRADES: ReadonlyMap<number, Step> = new Map<number, Step>([
  [2, () => undefined],
  // Before, a copy shared the clock of its recipient. It gets one of its own at its next failure.
  [3, (database) => database.exec("ALTER TABLE recipients ADD COLUMN clocks TEXT")],
  [4, toVersion5],
  [5, toVersion6],
  // An older entry may be one of several deliveries that an alias with the same address led to.
  [
    6,
    (database) =>
      database.exec("ALTER TABLE journal ADD COLUMN homonym INTEGER NOT NULL DEFAULT 1"),
  ],
  [7, toVersion8],
  // Mail that waits for a transport on hold, and mail that has waited for one.
  [
    8,
    (database) =>
      database.exec(`
        ALTER TABLE recipients ADD COLUMN held_transport TEXT;
        ALTER TABLE recipients ADD COLUMN withheld INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX withheld ON recipients (message, position) WHERE held_transport IS NOT NULL;
        CREATE INDEX released ON recipients (message, position) WHERE withheld = 1 AND held_transport IS NULL;`),
  ],
]);

/**
 * Upgrades a spool of an older version, or a new one, to SCHEMA_VERSION. Returns false and changes nothing if the
 * version is unknown. A new spool is made as version 4 and upgraded, because salvage.ts relies on the tables having the
 * same places in all spools.
 */
export function upgrade(database: Database): boolean {
  const version = numberOf(database.get("PRAGMA user_version")?.["user_version"]);
  if (version === SCHEMA_VERSION) return true;
  if (version !== 0 && !UPGRADES.has(version)) return false;
  database.atomically(() => {
    if (version === 0) database.exec(TABLES_4);
    for (let at = version || 4; at < SCHEMA_VERSION; at++) UPGRADES.get(at)?.(database);
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  });
  return true;
}

/**
 * Adds the journal by target, a column for each order, the reason and time of freezing, whether the sender is
 * vouched for, and the postmaster's list. Every message with a journal entry or an order is rewritten.
 */
function toVersion5(database: Database): void {
  database.exec(`
    ALTER TABLE journal RENAME TO former_journal;
    ALTER TABLE recipients ADD COLUMN held_domain TEXT;
    ALTER TABLE recipients ADD COLUMN forced INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE recipients ADD COLUMN mail_done INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE recipients ADD COLUMN frozen_why TEXT;
    ALTER TABLE messages ADD COLUMN frozen_for INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE messages ADD COLUMN vouched INTEGER;
    ALTER TABLE messages ADD COLUMN vouch_tries INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX frozen ON messages (frozen_for) WHERE state = 'frozen';
    CREATE INDEX held ON recipients (held_domain) WHERE held_domain IS NOT NULL;
    CREATE TABLE journal (
      message   INTEGER NOT NULL,
      unseen    INTEGER NOT NULL,
      target    TEXT    NOT NULL,
      outcome   TEXT    NOT NULL CHECK (outcome IN ('delivered', 'failed', 'frozen')),
      at        INTEGER NOT NULL,
      position  INTEGER NOT NULL,
      address   TEXT    NOT NULL,
      router    TEXT    NOT NULL,
      transport TEXT    NOT NULL,
      PRIMARY KEY (message, unseen, target)
    ) STRICT, WITHOUT ROWID;`);
  const ids = database.all(`
    SELECT message FROM former_journal UNION SELECT message FROM recipients
      WHERE next_attempt = 0 OR waits_for GLOB 'hold:*' OR clocks GLOB '*hold:*'`);
  for (const id of ids.map((row) => numberOf(row["message"]))) rewrite(database, id);
  database.exec(`DROP TABLE former_journal; ${LISTED}`);
}

/** Adds the clock reading from which each next attempt was computed, and the reason why untried mail waits. */
function toVersion6(database: Database): void {
  database.exec(`
    ALTER TABLE recipients ADD COLUMN waits_because TEXT;
    ALTER TABLE messages ADD COLUMN scheduled_at INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE hints ADD COLUMN saved_at INTEGER NOT NULL DEFAULT 0;`);
}

/**
 * Adds two values that older versions kept inside texts. The name of the host that a recipient waits for was the head
 * of a key. The mark that a copy may have been made without an answer was the text of a status.
 */
function toVersion8(database: Database): void {
  database.exec("ALTER TABLE recipients ADD COLUMN waits_for_host TEXT");
  const rows = database.all(
    `SELECT message, position, last_status, waits_for, clocks FROM recipients
     WHERE last_status IS NOT NULL OR waits_for IS NOT NULL OR clocks IS NOT NULL`,
  );
  for (const row of rows) {
    const { last_status: status, waits_for_host: host, clocks } = withTypedWaits(row);
    database.run(
      `UPDATE recipients SET last_status = ?, waits_for_host = ?, clocks = ?
       WHERE message = ? AND position = ?`,
      columnValueOf(status),
      columnValueOf(host),
      columnValueOf(clocks),
      numberOf(row["message"]),
      numberOf(row["position"]),
    );
  }
}

function rewrite(database: Database, id: number): void {
  const message = database.get("SELECT * FROM messages WHERE id = ?", id);
  if (message === undefined) return;
  const recipients = database.all(
    `SELECT message, position, request, state, attempts, first_failure, next_attempt, last_status, waits_for, clocks
     FROM recipients WHERE message = ?`,
    id,
  );
  const journal = database.all("SELECT * FROM former_journal WHERE message = ? ORDER BY at", id);
  database.run("DELETE FROM messages WHERE id = ?", id);
  database.run("DELETE FROM recipients WHERE message = ?", id);
  insertRows(database, withOrders({ message, recipients, journal, body: undefined }));
}

/** Whether tables of this version can be read without an upgrade. */
export function isReadable(version: number): boolean {
  return version === SCHEMA_VERSION || UPGRADES.has(version);
}

const TABLES_4 = `
CREATE TABLE messages (
  id            INTEGER PRIMARY KEY,
  state         TEXT    NOT NULL CHECK (state IN ('active', 'queued', 'frozen')),
  next_attempt  INTEGER NOT NULL,
  received_at   INTEGER NOT NULL,
  size          INTEGER NOT NULL,
  checksum      INTEGER NOT NULL,
  warnings      INTEGER NOT NULL DEFAULT 0,
  interruptions INTEGER NOT NULL DEFAULT 0,
  envelope      TEXT    NOT NULL,
  envelope_checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX due ON messages (next_attempt) WHERE state = 'queued';

CREATE TABLE bodies (
  message INTEGER PRIMARY KEY,
  bytes   BLOB NOT NULL
) STRICT;

CREATE TABLE recipients (
  message       INTEGER NOT NULL,
  position      INTEGER NOT NULL,
  request       TEXT    NOT NULL,
  state         TEXT    NOT NULL CHECK (state IN ('pending', 'delivered', 'failed', 'frozen')),
  attempts      INTEGER NOT NULL,
  first_failure INTEGER,
  next_attempt  INTEGER NOT NULL,
  last_status   TEXT,
  waits_for     TEXT,
  clocks        TEXT,
  PRIMARY KEY (message, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX waiting ON recipients (waits_for) WHERE waits_for IS NOT NULL;

CREATE TABLE journal (
  message   INTEGER NOT NULL,
  position  INTEGER NOT NULL,
  address   TEXT    NOT NULL,
  router    TEXT    NOT NULL,
  transport TEXT    NOT NULL,
  unseen    INTEGER NOT NULL,
  outcome   TEXT    NOT NULL CHECK (outcome IN ('delivered', 'failed', 'frozen')),
  at        INTEGER NOT NULL,
  PRIMARY KEY (message, position, address, router, transport)
) STRICT, WITHOUT ROWID;

CREATE TABLE hints (
  key           TEXT    PRIMARY KEY,
  first_failure INTEGER NOT NULL,
  next_try      INTEGER NOT NULL,
  status        TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE holds (
  domain TEXT    PRIMARY KEY,
  since  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;
