// The source of all mail that the relay writes itself: bounces, warnings, reports, and the postmaster's lists.
//
// Invariants: a message enters the spool in one commit. `write` returns it for the transaction of the caller, so that a
// bounce and the settling of its cause are one; `post` uses a transaction of its own. If a key of [relay] dkim cannot sign,
// the message is still sent.
//
// Doors: dkim-options.ts, dkim-record.ts, events.ts, signing.ts.

import { given } from "../base/given.ts";
import { describeError, type Log } from "../observe/log.ts";
import type { Draft } from "../mail/draft.ts";
import type { Envelope, MessageId, RecipientRequest } from "../mail/envelope.ts";
import type { NewReport, Spool } from "../spool/spool.ts";
import { loadSigner, type SigningKey } from "../receive/authentication/mailauth.ts";
import { composedMessage, loadComposer } from "./composer.ts";
import type { DkimSigner } from "./dkim-options.ts";
import { signatureOf, signersFor } from "./signing.ts";

/** Loads the libraries. Rejects if mail could not be composed. It resolves if mail can only not be signed. */
export async function loadLibraries(dkim: readonly DkimSigner[]): Promise<void> {
  await loadComposer();
  // Each message with a signature tries again, and logs the reason if that fails.
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
  /** Call it when a message in the spool is due. */
  readonly wake: () => void;
}

/** The circumstances of one message. */
export interface Posting
  extends
    Pick<Envelope, "sender" | "requireTls" | "tlsOptional">,
    Pick<RecipientRequest, "notify"> {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The message is signed with this key, or not sent at all. Absent: the keys of [relay] dkim sign. */
  readonly key?: SigningKey;
}

export class Outbox {
  readonly #services: OutboxServices;
  #options: OutboxOptions;

  constructor(options: OutboxOptions, services: OutboxServices) {
    this.#options = options;
    this.#services = services;
  }

  /** Uses these options from now on. */
  follow(options: OutboxOptions): void {
    this.#options = options;
  }

  /** The message, for the transaction of the caller. Rejects if `key` cannot sign it. */
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

  /** The signatures of all keys for the From address that can sign; possibly none. */
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

  /** Puts the message into the spool, in a transaction of its own. */
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
