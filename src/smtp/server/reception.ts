// What the SMTP protocol asks of the relay, and nothing else: the seam to src/receive/receive.ts.

import type { Client, RecipientRequest } from "../../mail/envelope.ts";
import type { MaybePromise } from "../../base/maybe-promise.ts";
import type { Status } from "../../mail/status.ts";
import type { MailRequest } from "./command.ts";

/** What the protocol asks of the relay. Each may answer at once or later; a throw is answered with 451. */
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
  /** Nothing more comes of it: its message has had its reply, or it was given up. Called once. */
  end?(): void;
}

export interface MessageSink {
  /** Content without dot stuffing. A promise asks the client to wait. */
  write(piece: Buffer): MaybePromise<void>;
  /** The final reply; 250 only when the message is durable. */
  finish(): Promise<Status>;
  /** The message will not be finished: the protocol refuses it with `reply`, or the client is gone. */
  abort(reply?: Status): void;
}
