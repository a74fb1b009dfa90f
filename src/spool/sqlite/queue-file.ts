// The queue as relayctl reads it: the database itself, beside a running relay or without one.
//
// Invariants: those of src/spool/queue-view.ts. A running relay writes during a read (WAL). No read lasts longer than a
// page of messages, so neither the relay's log nor the memory of relayctl grows.

import { statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describeError } from "../../observe/log.ts";
import type { QueueCount, QueueView } from "../queue-view.ts";
import type { Filter, MessageState } from "../spool.ts";
import { DATABASE } from "./engine.ts";
import { countHeld, readHolds } from "./hold-table.ts";
import { createLoader } from "./loader.ts";
import { messageOf } from "./rows.ts";
import { isReadable, SCHEMA_VERSION } from "./schema.ts";
import { messageCondition } from "./selection.ts";
import { WITHHELD_SINCE, withheldAddresses } from "./withheld.ts";
import { upgradedRow } from "./upgrade.ts";
import { idNumber, idText } from "../../mail/ids.ts";
import { numberOf } from "../../base/durable/columns.ts";

/** Messages in one page. */
const PAGE = 500;

function databaseFile(directory: string): string {
  return join(directory, DATABASE);
}

/** As in src/spool/spool-engine.ts. */
export function isSpool(directory: string): boolean {
  return statSync(databaseFile(directory), { throwIfNoEntry: false }) !== undefined;
}

/** As in src/spool/spool-engine.ts. */
export function openQueueFile(directory: string): QueueView | undefined {
  if (!isSpool(directory)) return undefined;
  const database = new DatabaseSync(databaseFile(directory), { readOnly: true, timeout: 10_000 });
  const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
  // Version 0: a relay is just starting and has not written its tables yet.
  const isEmpty = version === 0;
  if (!isEmpty && !isReadable(version)) {
    database.close();
    throw new Error(
      `spool ${directory} has version ${version}, this program needs ${SCHEMA_VERSION}`,
    );
  }
  return {
    async *messages(filter, onDamaged) {
      if (isEmpty) return;
      const load = createLoader(database);
      for (const ids of pagesOf(database, filter)) {
        yield ids.flatMap((id) => {
          try {
            const row = load(id, "none");
            return row === undefined ? [] : [messageOf(upgradedRow(row), directory)];
          } catch (error) {
            onDamaged(idText(id), describeError(error));
            return [];
          }
        });
      }
    },
    async *ids(filter) {
      if (isEmpty) return;
      for (const ids of pagesOf(database, filter)) yield ids.map(idText);
    },
    async holds() {
      const holds = isEmpty ? [] : readHolds(database);
      return holds.map((hold) => ({
        ...hold,
        messages: countHeld(database, hold.domain, version),
      }));
    },
    withheld: async () => (version < WITHHELD_SINCE ? [] : withheldAddresses(database)),
    count: async (filter) => countOf(isEmpty ? undefined : database, filter),
    async message(id) {
      const number = idNumber(id);
      if (isEmpty || idText(number) !== id) return undefined;
      const row = createLoader(database)(number, "all");
      return row === undefined ? undefined : messageOf(upgradedRow(row), directory);
    },
    [Symbol.asyncDispose]: async () => database.close(),
  };
}

function* pagesOf(database: DatabaseSync, filter: Filter): Iterable<number[]> {
  const { sql, values } = messageCondition(filter);
  const page = database.prepare(
    `SELECT id FROM messages WHERE id > ? AND ${sql} ORDER BY id LIMIT ${PAGE}`,
  );
  for (let last = 0; ;) {
    const ids = page.all(last, ...values).map(({ id }) => numberOf(id));
    if (ids.length > 0) yield ids;
    if (ids.length < PAGE) return;
    last = ids.at(-1) ?? last;
  }
}

function countOf(database: DatabaseSync | undefined, filter: Filter): QueueCount {
  const { sql, values } = messageCondition(filter);
  const rows = database
    ?.prepare(
      `SELECT state, count(*) AS n, sum(size) AS bytes FROM messages WHERE ${sql} GROUP BY state`,
    )
    .all(...values);
  const of = (state: MessageState) => {
    const row = rows?.find((one) => one["state"] === state);
    return { messages: numberOf(row?.["n"] ?? 0), bytes: numberOf(row?.["bytes"] ?? 0) };
  };
  return { active: of("active"), queued: of("queued"), frozen: of("frozen") };
}
