// A file that goes into the index, and what the index keeps of it.

import type { MaildirPart } from "../model/maildir-place.ts";
import type { Extract } from "../text/extract.ts";

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
