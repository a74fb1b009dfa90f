// Reception for users that have logged in: what they may send, in front of the way that all mail takes.
//
// Invariants:
// - The envelope sender and every author in the header are addresses of the user. Nobody sends in another's name, and
//   the copy in .Sent is the sender's own.
// - A user above the rate is put off, and never refused for good.

import type { Clock } from "../../base/clock.ts";
import type { KeyedRate } from "../../base/keyed-rate.ts";
import type { Client, Mailbox, RecipientRequest } from "../../mail/envelope.ts";
import { LOCAL_ERROR, status, type Status, statusLine } from "../../mail/status.ts";
import { pathText } from "../../mail/address.ts";
import type { Log } from "../../observe/log.ts";
import type {
  MailRequest,
  MailTransaction,
  MessageSink,
  Reception,
} from "../../smtp/server/reception.ts";
import type { Senders } from "./senders.ts";
import { SubmittedMessage } from "./submitted-message.ts";

export interface UserRules {
  readonly senders: Pick<Senders, "mayUse">;
  readonly rate: KeyedRate;
  readonly recipientsMax: number;
  readonly sizeMax: number;
  readonly hostname: string;
}

const TOO_MUCH = status(450, "7.1", "You have sent too much mail, try again later");
const TOO_MANY = status(452, "5.3", "Too many recipients, send the rest in another message");
const TOO_BIG = status(552, "3.4", "Message is too big");

export interface Submitter {
  readonly client: Client;
  /** The address that has logged in. */
  readonly user: string;
}

interface UserMeans {
  readonly reception: Pick<Reception, "mail">;
  readonly rules: UserRules;
  readonly clock: Clock;
  readonly log: Log;
}

/** The answer to MAIL of a user. */
export async function userMail(
  { client, user }: Submitter,
  request: MailRequest,
  means: UserMeans,
): Promise<Status | MailTransaction> {
  const { rules, log } = means;
  const { sender } = request;
  const isTooBig = (request.declaredSize ?? 0) > rules.sizeMax;
  const refusal = isTooBig ? TOO_BIG : await refusalOf(user, [sender], rules);
  if (refusal !== undefined) {
    const reply = statusLine(refusal);
    const why = `submission: ${user} has logged in`;
    log.event("message.refused", { client: client.address, sender: pathText(sender), reply, why });
    return refusal;
  }
  const answer = await means.reception.mail(client, request);
  return "code" in answer ? answer : new UserTransaction(answer, { client, user, sender }, means);
}

/** The refusal if the user may not send as one of them. */
async function refusalOf(
  user: string,
  addresses: readonly (Mailbox | null)[],
  { senders }: UserRules,
): Promise<Status | undefined> {
  for (const address of addresses) {
    const may = address === null ? false : await senders.mayUse(user, address);
    if (may === undefined) return LOCAL_ERROR;
    if (!may) {
      const what = address === null ? "the null sender" : address.address;
      const shown = /^[!-~]{1,200}$/.test(what) || address === null ? what : "this address";
      return status(550, "7.60", `${user} may not send as ${shown}`);
    }
  }
  return undefined;
}

interface Sending extends Submitter {
  readonly sender: Mailbox | null;
}

class UserTransaction implements MailTransaction {
  readonly #transaction: MailTransaction;
  readonly #by: Sending;
  readonly #means: UserMeans;
  #accepted = 0;

  constructor(transaction: MailTransaction, by: Sending, means: UserMeans) {
    this.#transaction = transaction;
    this.#by = by;
    this.#means = means;
  }

  async recipient(request: RecipientRequest): Promise<Status> {
    const { rate, recipientsMax } = this.#means.rules;
    if (this.#accepted >= recipientsMax) return TOO_MANY;
    if (!rate.has(this.#by.user)) return this.#putOff(request.mailbox);
    const reply = await this.#transaction.recipient(request);
    if (reply.code < 300) {
      this.#accepted++;
      rate.take(this.#by.user);
    }
    return reply;
  }

  #putOff({ address }: Mailbox): Status {
    const { client, user, sender } = this.#by;
    this.#means.log.event("recipient.refused", {
      client: client.address,
      sender: pathText(sender),
      recipient: `<${address}>`,
      reply: statusLine(TOO_MUCH),
      why: `submission: rate of ${user}`,
    });
    return TOO_MUCH;
  }

  message(): MessageSink {
    const { user } = this.#by;
    const { rules, clock } = this.#means;
    return new SubmittedMessage(this.#transaction.message(), {
      hostname: rules.hostname,
      now: clock.now(),
      refusalOf: (authors) => refusalOf(user, authors, rules),
    });
  }

  end(): void {
    this.#transaction.end?.();
  }
}
