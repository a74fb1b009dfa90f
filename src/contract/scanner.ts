// The contract between the relay and what looks at the content of messages while they come in: tenant proof, SPF, DKIM
// and DMARC, and scanners for spam and viruses.
//
// Invariants: scanners never see or change the bytes that go on; they see the message as it was received. A scanner
// that throws, or is late, has no finding: the message passes, or comes again later, as the scanner's `onError` says, and
// is never refused for good. So a bug, or a scanner that is down, loses nothing.

import type { Client, Mailbox } from "../mail/envelope.ts";
import type { HeaderSection } from "../receive/header/header.ts";
import type { MaybePromise } from "../base/maybe-promise.ts";
import type { Status } from "../mail/status.ts";

/** A message whose content is about to come. Its recipients have been accepted at RCPT. */
export interface ScannedMessage {
  readonly client: Client;
  /** null is <>. */
  readonly sender: Mailbox | null;
  readonly recipients: readonly Mailbox[];
  /** A recipient is in a domain of ours. */
  readonly isLocal: boolean;
  /** The client is a host of a relay rule. */
  readonly isRelayed: boolean;
}

export interface Scanner<Message extends ScannedMessage = ScannedMessage> {
  /** For the log. */
  readonly name: string;
  /** What becomes of a message that it has no finding on, because it fails or is late: it passes, or gets 451. */
  readonly onError: "pass" | "defer";
  /** Milliseconds that it may take for one piece, and for the finding. Absent: it has deadlines of its own. */
  readonly timeout?: number;
  /** Called once a message. Undefined when the message is none of its business. */
  begin(message: Message): Scan | undefined;
}

/** One message under one scanner. All scans of a message run side by side. */
export interface Scan {
  /** Fields that must not go on. */
  readonly unwanted?: UnwantedFields;
  /** The octets and the fields of the header section are wanted, and not only its hops. */
  readonly readsHeader?: boolean;
  /** Once, when the header section is over: nothing of it may be kept but copies. */
  header?(section: HeaderSection): void;
  /** What is behind the header section, in pieces. A promise asks the client to wait. */
  body?(piece: Buffer): MaybePromise<void>;
  /**
   * The message may begin to go out before its end: this scan puts nothing on top of it, and nothing is left that it
   * would have to be shown before. Absent: it may not.
   */
  mayGo?(): boolean;
  /** Behind the last byte, once. */
  end(): MaybePromise<Finding>;
  /** The last call in any case, also when the message does not come to its end: nothing more is wanted of the scan. */
  release?(): void;
}

export interface UnwantedFields {
  /** In lower case. */
  readonly names: readonly string[];
  /** Asked of each field with such a name, in order: from its name to its last CRLF, one character an octet. */
  isUnwanted(field: string): boolean;
}

export type Finding = (
  | { readonly kind: "pass" }
  /** Whole fields, a CRLF at the end of each, that are put on top of the message. */
  | { readonly kind: "tag"; readonly fields: string }
  | { readonly kind: "refuse"; readonly status: Status }
  /** It cannot say: the message passes. */
  | { readonly kind: "unknown"; readonly why: string }
) &
  Shown;

/** What a message has shown of itself beside that. */
export interface Shown {
  /** SPF, DKIM and DMARC, for the log. */
  readonly authentication?: string;
  /** The sender in the envelope is vouched for, or not; absent while the DNS has not said. */
  readonly vouched?: boolean;
  /** It does not count as relayed: what a relay rule asks for is not there. */
  readonly relayed?: false;
}
