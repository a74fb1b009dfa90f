// The contract between the relay and scanners, which examine the content of messages while they come in: the tenant
// proof, SPF, DKIM and DMARC, and scanners for spam and viruses.
//
// Invariants:
// - A scanner sees the message as it was received. It neither sees nor changes the octets that go on.
// - A scanner that throws or is late has no finding. Then the message passes or must come again later, as `onError`
//   says. It is never refused for good, so a bug in a scanner, or one that is down, loses no mail.

import type { Client, Mailbox } from "../mail/envelope.ts";
import type { HeaderSection } from "../receive/header/header.ts";
import type { MaybePromise } from "../base/maybe-promise.ts";
import type { Status } from "../mail/status.ts";

/** A message before its content. Its recipients have been accepted at RCPT. */
export interface ScannedMessage {
  readonly client: Client;
  /** null is <>. */
  readonly sender: Mailbox | null;
  readonly recipients: readonly Mailbox[];
  /** Whether a recipient is in a domain of ours. */
  readonly isLocal: boolean;
  /** Whether the client is a host of a relay rule. */
  readonly isRelayed: boolean;
}

export interface Scanner<Message extends ScannedMessage = ScannedMessage> {
  /** For the log. */
  readonly name: string;
  /** If the scanner fails or is late, the message passes, or gets 451. */
  readonly onError: "pass" | "defer";
  /** Milliseconds for one piece, and for the finding. Absent: the scanner has deadlines of its own. */
  readonly timeout?: number;
  /** Called once for each message. Returns undefined if the scanner does not examine the message. */
  begin(message: Message): Scan | undefined;
}

/** The examination of one message by one scanner. All scans of a message run at the same time. */
export interface Scan {
  /** Fields that are removed from the message. */
  readonly unwanted?: UnwantedFields;
  /** True: the scan needs the octets and fields of the header section. Otherwise it may get only the number of hops. */
  readonly readsHeader?: boolean;
  /** Called once, at the end of the header section. The scan must copy everything that it keeps. */
  header?(section: HeaderSection): void;
  /** Takes the next piece of the body. While a returned promise is pending, no other piece comes. */
  body?(piece: Buffer): MaybePromise<void>;
  /**
   * Whether the message may begin to go out before its end: this scan adds no field, and waits for no proof. Absent: it
   * may not.
   */
  mayGo?(): boolean;
  /** Called once, after the last octet. */
  end(): MaybePromise<Finding>;
  /** Always the last call, even if the message is given up before its end. The scan must free what it holds. */
  release?(): void;
}

export interface UnwantedFields {
  /** In lower case. */
  readonly names: readonly string[];
  /** Called for fields with such a name, in order. `field` goes from its name to its last CRLF, one character an octet. */
  isUnwanted(field: string): boolean;
}

export type Finding = (
  | { readonly kind: "pass" }
  /** `fields` are whole fields, each with its CRLF, that are put on top of the message. */
  | { readonly kind: "tag"; readonly fields: string }
  | { readonly kind: "refuse"; readonly status: Status }
  /** The scanner has no finding, and the message passes. */
  | { readonly kind: "unknown"; readonly why: string }
) &
  Shown;

/** Other results about the message. */
export interface Shown {
  /** The results of SPF, DKIM and DMARC, for the log. */
  readonly authentication?: string;
  /** Whether the envelope sender is vouched for; absent without an answer of the DNS. */
  readonly vouched?: boolean;
  /** The message lacks the proof of its relay rule, so it does not count as relayed. */
  readonly relayed?: false;
}
