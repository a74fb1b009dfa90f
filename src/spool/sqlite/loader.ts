// Loads the rows of one message, for the relay and for relayctl.
//
// Invariant: a damaged number does not throw here, so it holds up no other message. Its reader detects it.

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Row } from "../../base/durable/columns.ts";
import { errorCode } from "../../base/error-code.ts";
import type { StoredRow } from "./rows.ts";

/** Returns the rows of a message, or undefined if its id is unknown. */
export type Loader = (id: number, withBody: boolean) => StoredRow | undefined;

export function createLoader(database: Pick<DatabaseSync, "prepare">): Loader {
  const messages = database.prepare("SELECT * FROM messages WHERE id = ?");
  const recipients = database.prepare(
    "SELECT * FROM recipients WHERE message = ? ORDER BY position",
  );
  const journal = database.prepare("SELECT * FROM journal WHERE message = ? ORDER BY at");
  const bodies = database.prepare("SELECT bytes FROM bodies WHERE message = ?");
  return (id, withBody) => {
    const message = rowsOf(messages, id)[0];
    if (message === undefined) return undefined;
    return {
      message,
      recipients: rowsOf(recipients, id),
      journal: rowsOf(journal, id),
      body: withBody ? (bodies.get(id)?.["bytes"] ?? null) : undefined,
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
