// The input of a report.

import type { Body, Envelope, Mailbox } from "../mail/envelope.ts";
import type { Place } from "../mail/place.ts";
import type { Status } from "../mail/status.ts";
import type { ReportKind } from "./wanted.ts";

export interface ReportedRecipient {
  readonly mailbox: Mailbox;
  /** The address at RCPT that led to this one. */
  readonly original: Mailbox;
  readonly orcpt?: string;
  /** The last status. In a "failed" report, a temporary status means that the retries have ended. */
  readonly status: Status;
  /** The host or socket that answered, or the file that was written. */
  readonly place?: Place;
  /** Milliseconds since the epoch. */
  readonly lastAttemptAt?: number;
  /** The latest time of the last attempt, for a "delayed" report. */
  readonly retryUntil?: number;
}

export interface ReportRequest {
  readonly kind: ReportKind;
  readonly hostname: string;
  readonly now: number;
  readonly envelope: Envelope;
  readonly body: Body;
  readonly recipients: readonly ReportedRecipient[];
  /** Bytes; a report on a larger message returns only its header. */
  readonly returnSizeLimit: number;
}
