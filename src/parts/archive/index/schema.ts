// The tables of state/index.sqlite.
//
// Invariant: the file can be thrown away and made again from the Maildirs at any time. A program never writes into a
// file whose version it does not know.

import { Database } from "../../../base/durable/database.ts";
import { numberOf } from "../../../base/durable/columns.ts";

/** PRAGMA user_version of the file. */
const VERSION = 1;

/**
 * `messages`: the long texts stand last, so a walk over the numbers reads little. `shift`: see model/ids.ts.
 * `content_sha256` is NULL if it equals `sha256`. `place` is NULL for new/NAME; else it is the part and what follows the
 * unique name, as "cur:2,S". `attachments` is a JSON array of names, or NULL.
 *
 * `names` finds a file of a folder by a hash of its unique name.
 *
 * `folders.fresh`: those of its messages that lie in new/. `pending`: files that were found and are not indexed yet; `due` is the time of the next attempt in ms. `folders.new_seen` and `cur_seen`: mtime of the directory in
 * ms when it was last listed in full; NULL if it must be listed again.
 */
const TABLES = `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
  CREATE TABLE accounts (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
  CREATE TABLE folders (
    number INTEGER PRIMARY KEY, account INTEGER NOT NULL, directory TEXT NOT NULL, name TEXT NOT NULL,
    messages INTEGER NOT NULL DEFAULT 0, fresh INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,
    new_seen REAL, cur_seen REAL, UNIQUE (account, directory));
  CREATE TABLE messages (
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL, folder INTEGER NOT NULL, shelf INTEGER NOT NULL,
    shift INTEGER NOT NULL, date INTEGER, size INTEGER NOT NULL, parsed INTEGER NOT NULL,
    sha256 BLOB NOT NULL, content_sha256 BLOB, unique_name TEXT NOT NULL, place TEXT,
    message_id TEXT NOT NULL, subject TEXT NOT NULL, sender TEXT NOT NULL, recipients TEXT NOT NULL,
    attachments TEXT);
  CREATE TABLE names (
    folder INTEGER, hash INTEGER, id INTEGER, PRIMARY KEY (folder, hash, id)) WITHOUT ROWID;
  CREATE TABLE shelves (
    number INTEGER PRIMARY KEY, least INTEGER NOT NULL, greatest INTEGER NOT NULL,
    messages INTEGER NOT NULL, removed INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL);
  CREATE TABLE pending (
    delivered INTEGER, folder INTEGER, name TEXT, place TEXT, size INTEGER, attempts INTEGER NOT NULL DEFAULT 0,
    due INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (delivered, folder, name)) WITHOUT ROWID;
`;

/** The index was written by a newer program. */
export class NewerIndex extends Error {}

const SETTINGS = {
  pageSize: 4096,
  synchronous: "NORMAL",
  checkpointAt: 8000,
  cache: 8000,
} as const;

/** Opens the file for writing, or creates it. Throws NewerIndex, or the error of SQLite. */
export function openIndexDatabase(file: string): Database {
  const database = new Database(file, SETTINGS);
  try {
    database.exec("PRAGMA secure_delete = FAST; PRAGMA temp_store = MEMORY");
    if (versionOf(file, database) === 0) {
      database.atomically(() => {
        database.exec(TABLES);
        database.exec(`PRAGMA user_version = ${VERSION}`);
      });
    }
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** 0 for a new file. */
export function versionOf(file: string, database: Pick<Database, "get">): number {
  const version = numberOf(database.get("PRAGMA user_version")?.["user_version"]);
  if (version <= VERSION) return version;
  throw new NewerIndex(
    `${file} was written by a newer unseen (version ${version}; this program knows ${VERSION}); ` +
      "run the newer program, or remove the file and run relayctl archive reindex",
  );
}
