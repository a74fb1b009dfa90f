// Message ids, as text and as the numbers that databases hold.

import type { MessageId } from "./envelope.ts";

const ID_LENGTH = 10;

/** In the database an id is microseconds since the epoch. Such ids sort by time and fit a double until 2255. */
export function idText(id: number): MessageId {
  return id.toString(36).padStart(ID_LENGTH, "0");
}

export function idNumber(id: MessageId): number {
  return Number.parseInt(id, 36);
}
