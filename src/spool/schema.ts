// The tables of the spool. Bodies stand apart, so that a change of state never rewrites one.

/**
 * Rises with every change of the tables, and of what an envelope can ask of us: a program that has not heard of
 * REQUIRETLS must not deliver what asks for it. A spool of an unknown version is refused, not guessed at.
 */
export const SCHEMA_VERSION = 5;

/** The list of endings that the postmaster hears of, because no sender does. `more` counts what it had no room for. */
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

/** From an older version to the one after it. */
const UPGRADES: ReadonlyMap<number, string> = new Map([
  [2, "PRAGMA user_version = 3;"],
  // Before, a copy shared the clock of its recipient: it begins one of its own when it fails again.
  [3, "ALTER TABLE recipients ADD COLUMN clocks TEXT; PRAGMA user_version = 4;"],
  [4, `${LISTED} PRAGMA user_version = 5;`],
]);

/** What makes a spool of this version one of ours, in one transaction; undefined when nothing does. */
export function upgradeFrom(version: number): string | undefined {
  if (version === 0) return SCHEMA;
  const steps: string[] = [];
  for (let at = version; at !== SCHEMA_VERSION; at++) {
    const step = UPGRADES.get(at);
    if (step === undefined) return undefined;
    steps.push(step);
  }
  return steps.join("");
}

/** What the tables of this version lack may be missing: to read them, nothing else has to be known. */
export function isReadable(version: number): boolean {
  return version === SCHEMA_VERSION || UPGRADES.has(version);
}

const SCHEMA = `
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
${LISTED}
PRAGMA user_version = ${SCHEMA_VERSION};
`;
