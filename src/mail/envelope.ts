// The words for one message as every stage knows it: envelope, recipients, body. Plain values, no behaviour.
// Protects: what the wire said is kept as it was said (`address`), beside the one canonical form that every comparison
// uses.

/** A mailbox, parsed once from the bytes on the wire (RFC 5321 4.1.2). Made only by src/mail/address.ts. */
export interface Mailbox {
  /** As it was written, quotes and case included: what goes on to the next host. */
  readonly address: string;
  /** Without quoting, case kept. */
  readonly localPart: string;
  /** Lower case, A-labels. "" only for the bare <postmaster> of RFC 5321 4.5.1, which the gate completes. */
  readonly domain: string;
}

/** Ten base-36 digits that sort by time of arrival; unique in a spool for ever. */
export type MessageId = string;

/** One routed delivery inside one message: unique there, and the same again at the next attempt. */
export type RecipientId = string;

export interface Client {
  /** IPv4 or IPv6 in text form, mapped IPv4 unmapped; "" for mail that we made ourselves. */
  readonly address: string;
  readonly helo: string;
  /** It said HELO: SMTP without extensions. */
  readonly basic?: true;
  /** Negotiated TLS protocol and cipher, absent in clear. */
  readonly tls?: {
    readonly version: string;
    readonly cipher: string;
    /** SHA-256 of the certificate that the client has shown, and whose key it has: "3F:2A:…". Nobody else vouches for it. */
    readonly certificate?: string;
  };
}

export interface Envelope {
  readonly id: MessageId;
  /** The reverse-path; null is <>. */
  readonly sender: Mailbox | null;
  readonly client: Client;
  /**
   * It came by a relay rule, with the proof that the rule asks for, or is mail of our own: its sender is who it says.
   * Absent in mail that a version before 0.2.0 has received.
   */
  readonly relayed?: boolean;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  /** Bytes of the body, our own header fields included. */
  readonly size: number;
  /** Header fields that were found out when the rest was written: the body has them above what is stored. */
  readonly head?: string;
  /** The client declared 8BITMIME (RFC 6152). */
  readonly eightBit: boolean;
  /** The client declared SMTPUTF8 (RFC 6531). */
  readonly smtputf8: boolean;
  /** The client declared REQUIRETLS (RFC 8689): no next host may be given it without. */
  readonly requireTls?: true;
  /** A report on TLS: it goes although TLS, as its destination wants it, cannot be had (RFC 8460 3). */
  readonly tlsOptional?: true;
  /** RFC 3461 RET and ENVID; ENVID still in xtext, its hex digits capital. */
  readonly ret?: "FULL" | "HDRS";
  readonly envid?: string;
}

/** What the client said of one recipient at RCPT (RFC 3461 4.1, 4.2). */
export interface RecipientRequest {
  readonly mailbox: Mailbox;
  /** "NEVER" or a list of SUCCESS, FAILURE, DELAY; absent when not given. */
  readonly notify?: string;
  /** "addr-type;xtext", as it came but for the hex digits of the xtext: they are capital. */
  readonly orcpt?: string;
}

/** A message body: CRLF line ends, no dot stuffing, our Received header in front. */
export interface Body {
  readonly size: number;
  /** The whole body when it is small enough to be held in memory. */
  readonly inline?: Buffer;
  /**
   * Only of a message that is still coming in, which can be read once, and then only to be sent: false from there
   * on. Its `size` is what the client declared, or 0.
   */
  readonly unread?: boolean;
  /** The bytes in order, in pieces of a bounded size. Throws if the stored bytes are damaged. */
  chunks(): AsyncIterable<Buffer>;
}
