// Loads the rows of one message, for the relay and for relayctl.
//
// Invariant: a damaged number does not throw here, so it holds up no other message. Its reader detects it.

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Row } from "../../base/durable/columns.ts";
import { errorCode } from "../../base/error-code.ts";
import { SMALL_MAX } from "./body.ts";
import type { StoredRow } from "./rows.ts";

/** Bodies to load: none, those of at most 64 KiB, or all that are in the database. */
type LoadedBodies = "none" | "small" | "all";

/** Returns the rows of a message, or undefined if its id is unknown. */
export type Loader = (id: number, bodies: LoadedBodies) => StoredRow | undefined;

/** A larger body as its length, for which SQLite reads nothing of it. */
const SMALL = `iif(length(bytes) <= ${SMALL_MAX}, bytes, length(bytes))`;

export function createLoader(database: Pick<DatabaseSync, "prepare">): Loader {
  const messages = database.prepare("SELECT * FROM messages WHERE id = ?");
  const recipients = database.prepare(
    "SELECT * FROM recipients WHERE message = ? ORDER BY position",
  );
  const journal = database.prepare("SELECT * FROM journal WHERE message = ? ORDER BY at");
  const small = database.prepare(`SELECT ${SMALL} AS body FROM bodies WHERE message = ?`);
  const whole = database.prepare("SELECT bytes AS body FROM bodies WHERE message = ?");
  const bodyOf = (id: number, bodies: Exclude<LoadedBodies, "none">) =>
    (bodies === "all" ? whole : small).get(id)?.["body"] ?? null;
  return (id, bodies) => {
    const message = rowsOf(messages, id)[0];
    if (message === undefined) return undefined;
    return {
      message,
      recipients: rowsOf(recipients, id),
      journal: rowsOf(journal, id),
      body: bodies === "none" ? undefined : bodyOf(id, bodies),
    };
  };
}

/** Returns the rows. A whole number that JavaScript cannot hold is a text in them. */
function rowsOf(statement: StatementSync, id: number): Row[] {
  try {
    return statement.all(id);
  } catch (error) {
    if (errorCode(error) !== "ERR_OUT_OF_RANGE") throw error;
  }
  statement.setReadBigInts(true);
  try {
    return statement.all(id).map(narrowed);
  } finally {
    statement.setReadBigInts(false);
  }
}

function narrowed(row: Row): Row {
  const values = Object.entries(row).map(([column, value]) => {
    if (typeof value !== "bigint") return [column, value];
    return [column, Number.isSafeInteger(Number(value)) ? Number(value) : String(value)];
  });
  return Object.fromEntries(values);
}
