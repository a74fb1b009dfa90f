// What retention needs of the index.

import type { Condition } from "../search/condition.ts";
import type { ArchivedMessage } from "../model/message.ts";

export interface Messages {
  message(id: number): Promise<ArchivedMessage | undefined>;
  /** The messages after this id, the oldest first. */
  oldestFirst(after: number, limit: number): Promise<readonly ArchivedMessage[]>;
  /** The messages that match, newest first: at most `limit`, with ids below `before`. */
  find(
    condition: Condition,
    page: { readonly limit: number; readonly before?: number; readonly signal?: AbortSignal },
  ): Promise<readonly ArchivedMessage[]>;
  /** The path of the message's file as it is now; undefined if it is not in its folder. */
  pathOf(message: ArchivedMessage): Promise<string | undefined>;
  remove(ids: readonly number[]): Promise<unknown>;
}
