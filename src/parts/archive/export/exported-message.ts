// A message on its way out of the archive.

import type { ArchivedMessage } from "../model/message.ts";

export type ExportedMessage = Pick<
  ArchivedMessage,
  "account" | "folder" | "name" | "deliveredAt" | "size" | "sha256" | "subject"
>;

/** The file of a message, opened. */
export interface OpenedMessage {
  readonly message: ExportedMessage;
  /** The path as it is now. */
  readonly path: string;
  readonly size: number;
  /** The time of delivery, in ms since the epoch. */
  readonly time: number;
  /** Octets at `from`. Rejects with Unreadable. */
  peek(from: number, length: number): Promise<Buffer>;
  /** All octets. Rejects with Unreadable. */
  octets(): AsyncIterable<Buffer>;
}

/** The file of a message cannot be read to its end; `cause` says why. */
export class Unreadable extends Error {}

/** What every format can do. */
export interface ExportWriter {
  /** True if the message was there already, from a run that was cut off. Rejects with Unreadable, and has then written nothing. */
  add(message: OpenedMessage): Promise<void>;
  /** Gives the export its name. After that it is on disk. */
  finish(): Promise<void>;
  /** After an error. */
  abandon(): Promise<void>;
}
