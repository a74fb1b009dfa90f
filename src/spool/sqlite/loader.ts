// Loads the rows of one message, for the relay and for relayctl.

import type { DatabaseSync } from "node:sqlite";
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
    const message = messages.get(id);
    if (message === undefined) return undefined;
    return {
      message,
      recipients: recipients.all(id),
      journal: journal.all(id),
      body: withBody ? (bodies.get(id)?.["bytes"] ?? null) : undefined,
    };
  };
}
