// What a report is made of.

import type { Body, Envelope, Mailbox } from "../mail/envelope.ts";
import type { Place } from "../mail/place.ts";
import type { Status } from "../mail/status.ts";
import type { ReportKind } from "./wanted.ts";

export interface ReportedRecipient {
  readonly mailbox: Mailbox;
  /** The RCPT that it descends from. */
  readonly original: Mailbox;
  readonly orcpt?: string;
  /** The last status; a temporary one in a "failed" report means that the retries came to their end. */
  readonly status: Status;
  /** Who spoke, or what was written. */
  readonly place?: Place;
  /** Milliseconds since the epoch. */
  readonly lastAttemptAt?: number;
  /** When the last attempt is made at the latest, for a "delayed" report. */
  readonly retryUntil?: number;
}

export interface ReportRequest {
  readonly kind: ReportKind;
  readonly hostname: string;
  readonly now: number;
  readonly envelope: Envelope;
  readonly body: Body;
  readonly recipients: readonly ReportedRecipient[];
  /** Bytes; of a larger message only the header goes back. */
  readonly returnSizeLimit: number;
}
