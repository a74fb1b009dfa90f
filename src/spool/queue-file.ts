// The queue as relayctl sees it: the database itself, opened without the relay. Reading disturbs no running relay
// (WAL); changing takes the spool's lock, so it is done only where no relay runs.
//
// Invariant: nothing is created. A spool that no relay has ever opened is an empty queue.

import { statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { MessageId } from "../envelope.ts";
import { describeError } from "../log.ts";
import type { StoredMessage } from "../spool.ts";
import type { Engine } from "./engine.ts";
import { createLoader } from "./loader.ts";
import { lockSpool } from "./lock.ts";
import { idNumber, idText, messageOf, numberOf } from "./rows.ts";
import { openSpool } from "./salvage.ts";
import { SCHEMA_VERSION } from "./schema.ts";

export interface QueueFile {
  /** Every message, oldest first; what cannot be read is told to `onDamaged`. The bodies are not looked at. */
  messages(onDamaged: (id: MessageId, why: string) => void): Iterable<StoredMessage>;
  /** One message with its body; undefined when there is none of this id. Throws when it cannot be read. */
  message(id: MessageId): StoredMessage | undefined;
  [Symbol.dispose](): void;
}

function databaseFile(directory: string): string {
  return join(directory, "spool.sqlite");
}

/** Throws when that cannot be known: a spool that may not be read is not a spool that is missing. */
function isThere(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) !== undefined;
}

/** Undefined when no relay has opened this spool yet. Throws when it cannot be read. */
export function openQueueFile(directory: string): QueueFile | undefined {
  const file = databaseFile(directory);
  if (!isThere(file)) return undefined;
  const database = new DatabaseSync(file, { readOnly: true, timeout: 10_000 });
  const version = database.prepare("PRAGMA user_version").get()?.["user_version"];
  // A relay that starts just now has not written its tables yet.
  const isEmpty = version === 0;
  if (!isEmpty && version !== SCHEMA_VERSION) {
    database.close();
    throw new Error(
      `spool ${directory} has version ${String(version)}, this program needs ${SCHEMA_VERSION}`,
    );
  }
  return {
    *messages(onDamaged) {
      if (isEmpty) return;
      const ids = database.prepare("SELECT id FROM messages ORDER BY id").all();
      const load = createLoader(database);
      for (const { id } of ids) {
        try {
          const row = load(numberOf(id), false);
          if (row !== undefined) yield messageOf(row, directory);
        } catch (error) {
          onDamaged(idText(numberOf(id)), describeError(error));
        }
      }
    },
    message(id) {
      const number = idNumber(id);
      if (isEmpty || idText(number) !== id) return undefined;
      const row = createLoader(database)(number, true);
      return row === undefined ? undefined : messageOf(row, directory);
    },
    [Symbol.dispose]: () => database.close(),
  };
}

/**
 * Changes the queue where no relay runs: what a dead relay left under attempt is due again first, as when a relay
 * starts. Undefined when no relay has opened this spool yet. Throws SpoolInUse when one runs.
 */
export function changeQueueFile<T>(
  directory: string,
  now: number,
  change: (engine: Engine) => T,
): T | undefined {
  if (!isThere(databaseFile(directory))) return undefined;
  const lock = lockSpool(directory);
  try {
    const engine = openSpool(directory, () => undefined);
    try {
      engine.recover(now);
      return change(engine);
    } finally {
      engine.close();
    }
  } finally {
    lock.release();
  }
}
