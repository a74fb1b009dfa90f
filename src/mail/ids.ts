// Ids of messages, as text and as the numbers that they are in databases.

import type { MessageId } from "./envelope.ts";

const ID_LENGTH = 10;

/** Ids are microseconds since the epoch in the database: they sort, and fit a double until 2255. */
export function idText(id: number): MessageId {
  return id.toString(36).padStart(ID_LENGTH, "0");
}

export function idNumber(id: MessageId): number {
  return Number.parseInt(id, 36);
}
