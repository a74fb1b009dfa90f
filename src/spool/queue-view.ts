// The queue as relayctl reads it, beside a running relay or without one.
//
// Invariants: a view changes and creates nothing, and disturbs no running relay: no read lasts longer than a page of
// messages. The view of a spool that no relay has ever written to is an empty queue.

import type { MessageId } from "../mail/envelope.ts";
import type { Filter, MessageState, StoredMessage } from "./spool.ts";

/** A domain on hold. */
export interface QueueHold {
  readonly domain: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** Messages that wait for its release, or will when their time has come. */
  readonly messages: number;
}

/** Messages and their bytes, by state: those that came in, without the header fields that were found out last. */
export type QueueCount = Readonly<
  Record<MessageState, { readonly messages: number; readonly bytes: number }>
>;

export interface QueueView extends AsyncDisposable {
  /**
   * The messages that fit, oldest first, in pages; what cannot be read is told to `onDamaged`. The bodies are not
   * looked at.
   */
  messages(
    filter: Filter,
    onDamaged: (id: MessageId, why: string) => void,
  ): AsyncIterable<readonly StoredMessage[]>;
  /** The ids of the messages that fit, oldest first, in pages. */
  ids(filter: Filter): AsyncIterable<readonly MessageId[]>;
  /** The number of messages that fit. */
  count(filter: Filter): Promise<QueueCount>;
  /** Domains on hold, in the order of the alphabet. */
  holds(): Promise<readonly QueueHold[]>;
  /** One message with its body; undefined when there is none of this id. Throws when it cannot be read. */
  message(id: MessageId): Promise<StoredMessage | undefined>;
}
