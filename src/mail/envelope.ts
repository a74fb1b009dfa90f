// The words for one message as every stage knows it: envelope, recipients, body. Plain values, no behaviour.
//
// Invariant: text from the wire is kept as it was sent (`address`), beside the one canonical form that is used for
// every comparison.

/** A mailbox, parsed once from the bytes on the wire (RFC 5321 4.1.2). Made only by src/mail/address.ts. */
export interface Mailbox {
  /** As it was written, with quotes and case. The next host is sent this form. */
  readonly address: string;
  /** Without quoting, case kept. */
  readonly localPart: string;
  /** Lower case, A-labels. "" only for the bare <postmaster> of RFC 5321 4.5.1, which the gate completes. */
  readonly domain: string;
}

/** Ten base-36 digits that sort by time of arrival. An id is used only once in a spool. */
export type MessageId = string;

/** One routed delivery of a message. Unique within the message, and the same at the next attempt. */
export type RecipientId = string;

export interface Client {
  /** IPv4 or IPv6 in text form, mapped IPv4 unmapped; "" for mail of the relay's own. */
  readonly address: string;
  readonly helo: string;
  /** The client said HELO: SMTP without extensions. */
  readonly basic?: true;
  /** The address of the user that has logged in, by submission. Absent for all other clients. */
  readonly user?: string;
  /** Negotiated TLS protocol and cipher, absent in clear. */
  readonly tls?: {
    readonly version: string;
    readonly cipher: string;
    /**
     * SHA-256 of the client's certificate: "3F:2A:…". The client has the key, but no authority was asked about the
     * certificate.
     */
    readonly certificate?: string;
  };
}

export interface Envelope {
  readonly id: MessageId;
  /** The reverse-path; null is <>. */
  readonly sender: Mailbox | null;
  readonly client: Client;
  /**
   * The message came by a relay rule, with the proof that the rule asks for, or is mail of the relay's own. So its
   * sender is genuine. Absent in mail that a version before 0.2.0 received.
   */
  readonly relayed?: boolean;
  /** The message comes back from the archive: the id of its restore. */
  readonly restored?: string;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  /** Bytes of the body, including the relay's own header fields. */
  readonly size: number;
  /** Header fields that became known only after the rest was written. The body has them above the stored bytes. */
  readonly head?: string;
  /** The client declared 8BITMIME (RFC 6152). */
  readonly eightBit: boolean;
  /** The client declared SMTPUTF8 (RFC 6531). */
  readonly smtputf8: boolean;
  /** The client declared REQUIRETLS (RFC 8689): the message may only be given to a next host that offers it. */
  readonly requireTls?: true;
  /** A report on TLS: it is sent even if TLS as its destination wants it cannot be had (RFC 8460 3). */
  readonly tlsOptional?: true;
  /** RET and ENVID of RFC 3461. ENVID is still in xtext, with upper-case hex digits. */
  readonly ret?: "FULL" | "HDRS";
  readonly envid?: string;
}

/** The client's parameters for one recipient at RCPT (RFC 3461 4.1, 4.2). */
export interface RecipientRequest {
  readonly mailbox: Mailbox;
  /** "NEVER" or a list of SUCCESS, FAILURE, DELAY; absent when not given. */
  readonly notify?: string;
  /** "addr-type;xtext" as it came, with the hex digits of the xtext in upper case. */
  readonly orcpt?: string;
}

/** A message body: CRLF line ends, no dot stuffing, the relay's Received field first. */
export interface Body {
  readonly size: number;
  /** The whole body when it is small enough to be held in memory. */
  readonly inline?: Buffer;
  /**
   * True only for a message that is still coming in. It can be read once, and only to be sent on. Becomes false when
   * reading begins. Until then `size` is what the client declared, or 0.
   */
  readonly unread?: boolean;
  /** The bytes in order, in pieces of a bounded size. Throws if the stored bytes are damaged. */
  chunks(): AsyncIterable<Buffer>;
}
