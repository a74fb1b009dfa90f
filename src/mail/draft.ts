// A mail that the relay writes itself, before it is composed: its content, without any of the MIME encoding.
// src/outbox/ turns it into a message.

import type { Mailbox } from "./envelope.ts";

export interface Draft {
  readonly from: { readonly name: string; readonly address: string };
  readonly to: Mailbox;
  readonly subject: string;
  /** With its angle brackets. Absent: made from the message's spool id and the relay's host name. */
  readonly messageId?: string;
  /** The Message-ID of the message that this one is about, with its angle brackets. */
  readonly inReplyTo?: string;
  /** Further header fields by name, in the order in which they are written. */
  readonly fields: Readonly<Record<string, string>>;
  /** The text for people, each line with its CRLF, or the parts of a report. */
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
  /** The bytes appear in the message unchanged, without any encoding. */
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
