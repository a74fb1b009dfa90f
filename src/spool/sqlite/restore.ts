// Copies rows of one spool database into another, unchanged.

import type { Database } from "../../base/durable/database.ts";
import { type StoredRow } from "./rows.ts";
import { upgradedRow } from "./upgrade.ts";
import { columnValueOf, type Row } from "../../base/durable/columns.ts";

/** Inserts the rows, upgraded. Rows that exist already are kept. Throws if the tables refuse the values. */
export function restore(database: Database, stored: StoredRow): void {
  insertRows(database, upgradedRow(stored));
}

/** Inserts rows of the same version as the tables. */
export function insertRows(
  database: Database,
  { message, recipients, journal, body }: StoredRow,
): void {
  insert(database, "messages", message);
  for (const recipient of recipients) insert(database, "recipients", recipient);
  for (const entry of journal) insert(database, "journal", entry);
  if (body instanceof Uint8Array)
    insert(database, "bodies", { message: message["id"], bytes: body });
}

function insert(database: Database, table: string, row: Row): void {
  const columns = Object.keys(row);
  const places = columns.map(() => "?").join(", ");
  database.run(
    `INSERT OR IGNORE INTO ${table} (${columns.join(", ")}) VALUES (${places})`,
    ...Object.values(row).map(columnValueOf),
  );
}
