// The questions of the SMTP protocol to the relay: the seam to src/receive/receive.ts.

import type { Client, Mailbox, RecipientRequest } from "../../mail/envelope.ts";
import type { MaybePromise } from "../../base/maybe-promise.ts";
import type { Status } from "../../mail/status.ts";

export interface MailRequest {
  /** null is <>. */
  readonly sender: Mailbox | null;
  /** RFC 1870: octets of the message, as the client declares them. */
  readonly declaredSize?: number;
  readonly eightBit: boolean;
  readonly smtputf8: boolean;
  /** RFC 8689. */
  readonly requireTls?: true;
  readonly ret?: "FULL" | "HDRS";
  readonly envid?: string;
}

/** The questions of the protocol to the relay. Each may be answered at once or later. A throw is answered with 451. */
export interface Reception {
  /** A refusal ends the session. */
  connect(client: Client): MaybePromise<Status | undefined>;
  mail(client: Client, request: MailRequest): MaybePromise<Status | MailTransaction>;
}

export interface MailTransaction {
  /** 250, or the refusal of this recipient. */
  recipient(request: RecipientRequest): MaybePromise<Status>;
  /** Called once, after at least one recipient was accepted. */
  message(): MessageSink;
  /** The transaction is over: its message has had its reply, or it was given up. Called once. */
  end?(): void;
}

export interface MessageSink {
  /** Takes content without dot stuffing. While a returned promise is pending, the client waits and no piece comes. */
  write(piece: Buffer): MaybePromise<void>;
  /** The final reply; 250 only when the message is durable. */
  finish(): Promise<Status>;
  /** The message will not be finished: the protocol refuses it with `reply`, or the client is gone. */
  abort(reply?: Status): void;
}
