// A file that goes into the index, and what the index keeps of it.

import type { ArchivedMessage } from "../model/message.ts";
import type { MaildirPart } from "../model/maildir-place.ts";

/** What the text of one file gives. */
export interface Extract extends Pick<
  ArchivedMessage,
  | "size"
  | "sha256"
  | "contentSha256"
  | "date"
  | "from"
  | "to"
  | "subject"
  | "messageId"
  | "attachments"
  | "isParsed"
> {
  /** ms since the epoch, of the relay's own Delivery-date line. */
  readonly deliveryDate: number | undefined;
  readonly hasAttachment: boolean;
  readonly body: string;
  readonly attachmentTexts: readonly string[];
}

/** A file of an account, as it was found. */
export interface FoundFile {
  readonly account: string;
  /** The directory of the folder below the Maildir: "", ".Sent". */
  readonly directory: string;
  readonly part: MaildirPart;
  readonly name: string;
  readonly suffix: string;
}

export interface NewMessage extends FoundFile {
  /** ms since the epoch. */
  readonly deliveredAt: number;
  readonly extract: Extract;
}
