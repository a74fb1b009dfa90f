// Where all mail of the relay's own comes from: bounces, warnings, reports, and the postmaster's lists.
//
// Invariants: a mail enters the spool in one commit. `write` gives it for the transaction of its writer, so that a bounce
// and the settling of its cause are one; `post` has a transaction of its own. A key of [relay] dkim that cannot sign keeps
// no mail from being sent.
//
// Doors: dkim-options.ts, dkim-record.ts, events.ts.

import { given } from "../base/given.ts";
import { describeError, type Log } from "../observe/log.ts";
import type { Draft } from "../mail/draft.ts";
import type { Envelope, MessageId, RecipientRequest } from "../mail/envelope.ts";
import type { NewReport, Spool } from "../spool/spool.ts";
import { loadSigner, type SigningKey } from "../receive/authentication/mailauth.ts";
import { composedMessage, loadComposer } from "./composer.ts";
import type { DkimSigner } from "./dkim-options.ts";
import { signatureOf, signersFor } from "./signing.ts";

/** Loads what a mail needs to be written. Rejects if it could not be composed; it may be that it cannot be signed. */
export async function loadLibraries(dkim: readonly DkimSigner[]): Promise<void> {
  await loadComposer();
  // Each mail that needs it tries again, and says what is wrong.
  if (dkim.length > 0) await loadSigner().catch(() => undefined);
}

export interface OutboxOptions {
  /** The relay's own name. */
  readonly hostname: string;
  readonly dkim: readonly DkimSigner[];
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
    const {
      bytes: plain,
      eightBit,
      smtputf8,
    } = await composedMessage(draft, { id, hostname, now });
    const signatures =
      key === undefined
        ? await this.#signaturesOf(plain, draft, { id, now })
        : [await signatureOf(plain, draft, key, now)];
    const bytes = Buffer.concat([...signatures.map((one) => Buffer.from(one)), plain]);
    const client = { address: "", helo: hostname };
    return {
      envelope: { id, client, receivedAt: now, eightBit, smtputf8, ...sent },
      recipients: [{ mailbox: draft.to, ...given({ notify }) }],
      bytes,
    };
  }

  /** Those of all keys for its From address that can sign: without one the mail is still sent. */
  async #signaturesOf(
    message: Buffer,
    draft: Draft,
    { id, now }: { readonly id: MessageId; readonly now: number },
  ): Promise<string[]> {
    const { address: from } = draft.from;
    const signatures: string[] = [];
    for (const { domain, selector, key_file: file } of signersFor(from, this.#options.dkim)) {
      try {
        const privateKey = file.key.export({ type: "pkcs8", format: "pem" });
        const key = { domain, selector, privateKey };
        signatures.push(await signatureOf(message, draft, key, now));
      } catch (error) {
        const why = { domain, selector, error: describeError(error) };
        this.#services.log.event("message.unsigned", { id, from, ...why });
      }
    }
    return signatures;
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
