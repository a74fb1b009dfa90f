// The queue as relayctl reads it: the database itself, beside the relay or without one.
//
// Invariants: nothing is created. A running relay is not disturbed: it writes while we read (WAL), and no read lasts
// longer than a page of messages, so that its log does not grow meanwhile, nor our memory. A spool that no relay has ever opened is an empty queue.

import { statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { MessageId } from "../../mail/envelope.ts";
import { describeError } from "../../observe/log.ts";
import type { Filter, MessageState, StoredMessage } from "../spool.ts";
import { DATABASE } from "./engine.ts";
import { countHeld, readHolds } from "./hold-table.ts";
import { createLoader } from "./loader.ts";
import { messageOf } from "./rows.ts";
import { isReadable, SCHEMA_VERSION } from "./schema.ts";
import { messageCondition } from "./selection.ts";
import { upgradedRow } from "./upgrade.ts";
import { idNumber, idText } from "../../mail/ids.ts";
import { numberOf } from "../../base/durable/columns.ts";

export interface QueueFile {
  /**
   * The messages that fit, oldest first, in pages; what cannot be read is told to `onDamaged`. The bodies are not
   * looked at.
   */
  messages(
    filter: Filter,
    onDamaged: (id: MessageId, why: string) => void,
  ): Iterable<readonly StoredMessage[]>;
  /** The ids of the messages that fit, oldest first, in pages. */
  ids(filter: Filter): Iterable<readonly MessageId[]>;
  /** How many messages fit, by state. */
  count(filter: Filter): QueueCount;
  /** Domains on hold, and how many messages wait for their release. */
  holds(): readonly QueueHold[];
  /** One message with its body; undefined when there is none of this id. Throws when it cannot be read. */
  message(id: MessageId): StoredMessage | undefined;
  [Symbol.dispose](): void;
}

export interface QueueHold {
  readonly domain: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly messages: number;
}

type QueueCount = Readonly<Record<MessageState, { messages: number; bytes: number }>>;

/** Messages that are read at once. */
const PAGE = 500;

function databaseFile(directory: string): string {
  return join(directory, DATABASE);
}

/** Has a relay opened it yet? Throws when that cannot be known: what may not be read is not missing. */
export function isSpool(directory: string): boolean {
  return statSync(databaseFile(directory), { throwIfNoEntry: false }) !== undefined;
}

/** Undefined when no relay has opened this spool yet. Throws when it cannot be read. */
export function openQueueFile(directory: string): QueueFile | undefined {
  if (!isSpool(directory)) return undefined;
  const database = new DatabaseSync(databaseFile(directory), { readOnly: true, timeout: 10_000 });
  const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
  // A relay that starts just now has not written its tables yet.
  const isEmpty = version === 0;
  if (!isEmpty && !isReadable(version)) {
    database.close();
    throw new Error(
      `spool ${directory} has version ${version}, this program needs ${SCHEMA_VERSION}`,
    );
  }
  return {
    *messages(filter, onDamaged) {
      if (isEmpty) return;
      const load = createLoader(database);
      for (const ids of pagesOf(database, filter)) {
        yield ids.flatMap((id) => {
          try {
            const row = load(id, false);
            return row === undefined ? [] : [messageOf(upgradedRow(row), directory)];
          } catch (error) {
            onDamaged(idText(id), describeError(error));
            return [];
          }
        });
      }
    },
    *ids(filter) {
      if (isEmpty) return;
      for (const ids of pagesOf(database, filter)) yield ids.map(idText);
    },
    holds() {
      const holds = isEmpty ? [] : readHolds(database);
      return holds.map((hold) => ({
        ...hold,
        messages: countHeld(database, hold.domain, version),
      }));
    },
    count: (filter) => countOf(isEmpty ? undefined : database, filter),
    message(id) {
      const number = idNumber(id);
      if (isEmpty || idText(number) !== id) return undefined;
      const row = createLoader(database)(number, true);
      return row === undefined ? undefined : messageOf(upgradedRow(row), directory);
    },
    [Symbol.dispose]: () => database.close(),
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
