// A mail that the relay writes itself, before it is composed: what its writer decides, and nothing of how MIME
// writes it down. src/outbox/ makes a message of it.

import type { Mailbox } from "./envelope.ts";

export interface Draft {
  readonly from: { readonly name: string; readonly address: string };
  readonly to: Mailbox;
  readonly subject: string;
  /** With its angle brackets. Absent: the id that the message has in the spool, at the relay's host name. */
  readonly messageId?: string;
  /** The Message-ID of the message that this one is about, with its angle brackets. */
  readonly inReplyTo?: string;
  /** Further header fields by their names, in the order in which they are written. */
  readonly fields: Readonly<Record<string, string>>;
  /** The lines of a text for people, each with its CRLF, or the parts of a report. */
  readonly content: string | ReportContent;
}

/** multipart/report (RFC 6522). */
export interface ReportContent {
  /** The parameter `report-type`. */
  readonly reportType: string;
  readonly parts: readonly DraftPart[];
}

export type DraftPart =
  | { readonly kind: "text"; readonly description?: string; readonly text: string }
  /** The bytes stand in the message as they are, encoded in no way. */
  | {
      readonly kind: "verbatim";
      readonly type: string;
      readonly description: string;
      readonly content: Buffer;
    }
  /** A file, in base64. */
  | {
      readonly kind: "attachment";
      readonly type: string;
      /** ASCII without quotes and backslashes. */
      readonly fileName: string;
      readonly content: Buffer;
    };
