// DKIM signatures above mail that people submit to the relay. Mail of others goes on as it came.
//
// Invariants:
// - A message gets one signature for each domain of its author that has a key. The signature covers the whole body.
// - The message is read as a stream, once for the signatures and once to be sent.
// - A message that cannot be signed is sent without, and the log says so.

import { Readable } from "node:stream";
import { readHeader } from "../../src/bounce/original.ts";
import type { Batch, Services } from "../../src/contract/contract.ts";
import { withHead } from "../../src/mail/body.ts";
import type { Body } from "../../src/mail/envelope.ts";
import { parseHeaderFields } from "../../src/mail/header-fields.ts";
import { describeError } from "../../src/observe/log.ts";
import type { DkimSigner } from "../../src/outbox/dkim-options.ts";
import { SIGNED, signersFor } from "../../src/outbox/signing.ts";
import { authorOf } from "../../src/receive/authentication/author.ts";
import { signMessage } from "../../src/receive/authentication/mailauth.ts";

/** Fields that a mail program writes, in addition to those of the relay's own mail. */
const FIELDS = [...SIGNED, "Sender", "Reply-To", "Cc"];

export class SubmissionSigner {
  readonly #keys: readonly DkimSigner[];
  readonly #services: Pick<Services, "clock" | "log">;

  constructor(keys: readonly DkimSigner[], services: Pick<Services, "clock" | "log">) {
    this.#keys = keys;
    this.#services = services;
  }

  /** Whether a message of this client is looked at: then it must be complete. */
  wants({ envelope: { client } }: Pick<Batch, "envelope">): boolean {
    return this.#keys.length > 0 && client.user !== undefined;
  }

  /** The batch with the signatures above its message; the same batch if none is wanted. */
  async signed(batch: Batch): Promise<Batch> {
    if (!this.wants(batch)) return batch;
    const { envelope, body } = batch;
    const signatures = await this.#signaturesOf(envelope.id, body);
    if (signatures === "") return batch;
    const whole = withHead(signatures, body);
    return { ...batch, envelope: { ...envelope, size: whole.size }, body: whole };
  }

  async #signaturesOf(id: string, body: Body): Promise<string> {
    const { clock, log } = this.#services;
    const fields = parseHeaderFields(await readHeader(body));
    const { domains, exact } = (fields && authorOf(fields)) ?? { domains: [], exact: false };
    const keys = exact ? keysFor(domains, this.#keys) : [];
    let signatures = "";
    for (const { domain, selector, key_file: file } of keys) {
      try {
        const privateKey = file.key.export({ type: "pkcs8", format: "pem" });
        // One piece waits, instead of Node's 16.
        const message = Readable.from(body.chunks(), { highWaterMark: 1 });
        const key = { domain, selector, privateKey };
        signatures += await signMessage(message, FIELDS, key, clock.now());
      } catch (error) {
        const from = domains.join(", ");
        log.event("message.unsigned", { id, from, domain, selector, error: describeError(error) });
      }
    }
    return signatures;
  }
}

/** The first fitting key of each domain. */
function keysFor(domains: readonly string[], keys: readonly DkimSigner[]): readonly DkimSigner[] {
  const fitting = domains.flatMap((domain) => signersFor(`@${domain}`, keys).slice(0, 1));
  return [...new Set(fitting)];
}
