// Where all mail of the relay's own comes from: bounces, warnings, reports, and the postmaster's lists.
//
// Invariants: a mail is composed and put into the spool in one commit with what it tells of, if its writer says so: `write`
// gives it for the writer's own transaction. Nothing here keeps a mail from being sent but a composer that cannot be
// loaded; then the transaction that waits for it does not happen either.

import type { Log } from "../observe/log.ts";
import type { Draft } from "../mail/draft.ts";
import type { Envelope, MessageId, RecipientRequest } from "../mail/envelope.ts";
import type { NewReport, Spool } from "../spool/spool.ts";
import type { SigningKey } from "../receive/authentication/mailauth.ts";
import { composed } from "./composer.ts";
import { signed } from "./signing.ts";

export { loadComposer } from "./composer.ts";

export interface OutboxOptions {
  /** The relay's own name. */
  readonly hostname: string;
}

export interface OutboxServices {
  readonly spool: Pick<Spool, "nextId" | "receive">;
  readonly log: Log;
  /** Something is due. */
  readonly wake: () => void;
}

/** How a mail is sent. */
export interface Posting
  extends
    Pick<Envelope, "sender" | "requireTls" | "tlsOptional">,
    Pick<RecipientRequest, "notify"> {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** It is signed with this key, or not sent at all. */
  readonly key?: SigningKey;
}

export class Outbox {
  readonly #services: OutboxServices;
  #options: OutboxOptions;

  constructor(options: OutboxOptions, services: OutboxServices) {
    this.#options = options;
    this.#services = services;
  }

  /** From now on by these options. */
  follow(options: OutboxOptions): void {
    this.#options = options;
  }

  /** The mail, to be put into the spool by the transaction of the caller. Rejects when `key` cannot sign it. */
  async write(draft: Draft, posting: Posting): Promise<NewReport> {
    const { hostname } = this.#options;
    const { now, notify, key, ...sent } = posting;
    const id = this.#services.spool.nextId();
    const { bytes: plain, eightBit, smtputf8 } = await composed(draft, { id, hostname, now });
    const bytes = key === undefined ? plain : await signed(plain, draft, key, now);
    const client = { address: "", helo: hostname };
    return {
      envelope: { id, client, receivedAt: now, eightBit, smtputf8, ...sent },
      recipients: [{ mailbox: draft.to, ...(notify === undefined ? {} : { notify }) }],
      bytes,
    };
  }

  /** Puts the mail into the spool, in a transaction of its own. */
  async post(draft: Draft, posting: Posting): Promise<MessageId> {
    const { spool, wake } = this.#services;
    const { envelope, recipients, bytes } = await this.write(draft, posting);
    const incoming = spool.receive(envelope.id);
    await incoming.write(bytes);
    await incoming.commit({ envelope, recipients }, false);
    wake();
    return envelope.id;
  }
}
