// The queue as relayctl reads it, beside a running relay or without one.
//
// Invariants:
// - A view changes and creates nothing.
// - A view does not disturb a running relay: no read lasts longer than one page of messages.
// - The view of a spool that no relay has ever written to is an empty queue.

import type { MessageId } from "../mail/envelope.ts";
import type { Filter, MessageState, StoredMessage } from "./spool.ts";

/** A domain on hold. */
export interface QueueHold {
  readonly domain: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** Messages that wait for its release now, or will wait for it when they are due. */
  readonly messages: number;
}

/** An address whose mail waits for the release of a transport. */
export interface QueueWithheld {
  /** The address of RCPT, in lower case. */
  readonly recipient: string;
  readonly messages: number;
}

/** Messages and their bytes, by state. The bytes are those received, without the header fields that the relay adds. */
export type QueueCount = Readonly<
  Record<MessageState, { readonly messages: number; readonly bytes: number }>
>;

export interface QueueView extends AsyncDisposable {
  /**
   * Yields pages of the messages that fit, oldest first. Calls `onDamaged` for each message that cannot be read. Bodies
   * are not checked.
   */
  messages(
    filter: Filter,
    onDamaged: (id: MessageId, why: string) => void,
  ): AsyncIterable<readonly StoredMessage[]>;
  /** Yields pages of the ids of the messages that fit, oldest first. */
  ids(filter: Filter): AsyncIterable<readonly MessageId[]>;
  /** The number of messages that fit. */
  count(filter: Filter): Promise<QueueCount>;
  /** Domains on hold, in alphabetical order. */
  holds(): Promise<readonly QueueHold[]>;
  /** Addresses whose mail waits for the release of a transport, in alphabetical order. */
  withheld(): Promise<readonly QueueWithheld[]>;
  /** Returns one message with its body, or undefined if this id is unknown. Throws if it cannot be read. */
  message(id: MessageId): Promise<StoredMessage | undefined>;
}
