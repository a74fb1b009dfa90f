// The answers to what smtp-server asks for one session: who has logged in, and the one transaction that may be under
// way.
//
// Invariant: MAIL begins a transaction. Its end, RSET, HELO, EHLO and STARTTLS remove it completely.

import type { Client, RecipientRequest } from "../../mail/envelope.ts";
import { LOCAL_ERROR, status, type Status } from "../../mail/status.ts";
import { IncomingMessage } from "../../smtp/server/incoming-message.ts";
import type { SessionLimits } from "../../smtp/server/limits.ts";
import { MessageReader } from "../../smtp/server/message-reader.ts";
import type { MailRequest, MailTransaction, MessageSink } from "../../smtp/server/reception.ts";
import type { Asked, Credentials } from "./dialogue-server.ts";

export interface UserDialogueMeans {
  readonly limits: SessionLimits;
  /** Milliseconds, by the monotonic clock. */
  now(): number;
  login(client: Client, given: Credentials): Promise<string | Status>;
  mail(client: Client, user: string, request: MailRequest): Promise<Status | MailTransaction>;
  onError(client: Client, where: string, error: unknown): void;
}

export class UserDialogue implements Asked {
  client: Client;
  /** The MAIL and the RCPT that smtp-server decides on, or has decided on. */
  request: MailRequest | undefined;
  recipientRequest: RecipientRequest | undefined;
  /** The message that is coming in. */
  incoming: IncomingMessage | undefined;
  /** By the monotonic clock. */
  transactionEndAt = Number.POSITIVE_INFINITY;
  failedLogins = 0;
  refusedRecipients = 0;
  #transaction: MailTransaction | undefined;
  #conclude: ((reply: Status) => void) | undefined;
  /** Counts the transactions, so that an answer that comes after its end is recognized. */
  #turn = 0;
  readonly #means: UserDialogueMeans;

  constructor(client: Client, means: UserDialogueMeans) {
    this.client = client;
    this.#means = means;
  }

  get inTransaction(): boolean {
    return this.#transaction !== undefined;
  }

  async login(given: Credentials): Promise<string | Status> {
    const user = await this.#means.login(this.client, given);
    if (typeof user === "string") this.client = { ...this.client, user };
    else this.failedLogins++;
    return user;
  }

  async mail(): Promise<Status> {
    const { client, request } = this;
    if (client.user === undefined || request === undefined) throw new Error("MAIL without a login");
    const turn = this.#turn;
    const answer = await this.#means.mail(client, client.user, request);
    if ("code" in answer) return answer;
    if (turn !== this.#turn) {
      answer.end?.();
      return LOCAL_ERROR;
    }
    this.#transaction = answer;
    this.transactionEndAt = this.#means.now() + this.#means.limits.messageTimeout;
    return status(250, "1.0", "Sender ok");
  }

  async recipient(): Promise<Status> {
    if (this.#transaction === undefined || this.recipientRequest === undefined) {
      throw new Error("RCPT without a transaction");
    }
    const reply = await this.#transaction.recipient(this.recipientRequest);
    if (reply.code >= 500) this.refusedRecipients++;
    return reply;
  }

  message(): Promise<Status> {
    const { limits } = this.#means;
    const reader = new MessageReader(limits.sizeMax, limits.textLineMax, limits.bareNewlines);
    const now = this.#means.now();
    this.incoming = new IncomingMessage(reader, this.#sink(), now);
    this.transactionEndAt = now + limits.messageTimeout;
    const { promise, resolve } = Promise.withResolvers<Status>();
    this.#conclude = resolve;
    return promise;
  }

  /** smtp-server has said 354 by now, or will: a message that cannot be kept is read to its end nevertheless. */
  #sink(): MessageSink {
    try {
      if (this.#transaction === undefined) throw new Error("DATA without a transaction");
      return this.#transaction.message();
    } catch (error) {
      this.onError("DATA", error);
      return failing;
    }
  }

  /** Called when the whole message has come. The function that is returned gives smtp-server the reply. */
  takeMessage(): (reply: Status) => void {
    this.incoming = undefined;
    return this.#conclude ?? (() => undefined);
  }

  onError(where: string, error: unknown): void {
    this.#means.onError(this.client, where, error);
  }

  /** Ends the transaction that is under way, if any. */
  reset(): void {
    const { incoming } = this;
    const transaction = this.#transaction;
    this.incoming = undefined;
    this.request = undefined;
    this.recipientRequest = undefined;
    this.transactionEndAt = Number.POSITIVE_INFINITY;
    this.#transaction = undefined;
    this.#conclude = undefined;
    this.#turn++;
    incoming?.abort();
    transaction?.end?.();
  }
}

const failing: MessageSink = {
  write: () => undefined,
  finish: () => Promise.resolve(LOCAL_ERROR),
  abort: () => undefined,
};
