// Decides whether the envelope sender of a message is vouched for. An envelope sender is a claim, and a bounce to a
// forged one goes to a person who never wrote to us.
//
// Invariants:
// - Three things vouch for a sender: a relay rule, an SPF pass of its own domain, and an aligned DKIM signature. The
//   signature must cover the whole message as it came.
// - Without an answer of the DNS the result is neither yes nor no.

import type { Mailbox } from "../mail/envelope.ts";
import type { Gate } from "../receive/gate/gate.ts";
import { wasRelayed } from "../receive/gate/relayed.ts";
import type { HeaderBudget } from "../receive/header/header-budget.ts";
import type { StoredMessage } from "../spool/spool.ts";
import {
  examineAll,
  Examination,
  type ExaminationServices,
} from "../receive/authentication/authentication.ts";
import { askSpf } from "../receive/authentication/inbound.ts";
import { receivedPart } from "./received-part.ts";
import { isVouchedFor, type SenderEvidence } from "../receive/authentication/vouched.ts";

export interface VouchingServices extends ExaminationServices {
  readonly hostname: string;
  readonly gate: Pick<Gate, "isLocal">;
  readonly headerBudgets: { readonly strangers: HeaderBudget };
}

export class Vouching {
  readonly #services: VouchingServices;

  constructor(services: VouchingServices) {
    this.#services = services;
  }

  /** Decides it for a message in the spool. Undefined if it cannot be known now. Throws if the body cannot be read. */
  async of(
    message: Pick<StoredMessage, "envelope" | "recipients" | "body" | "vouched">,
  ): Promise<boolean | undefined> {
    const { envelope, vouched } = message;
    const { sender, client } = envelope;
    if (sender === null) return false;
    if (vouched !== undefined) return vouched;
    if (await wasRelayed(message, this.#services.gate)) return true;
    const { hostname } = this.#services;
    const spf = await askSpf({ client, sender, hostname }, this.#services);
    const bySpf = await isVouchedFor(sender, { spf, signatures: [] });
    return bySpf === true ? true : this.#bySignature(message, sender, spf);
  }

  async #bySignature(
    { envelope, body }: Pick<StoredMessage, "envelope" | "body">,
    sender: Mailbox,
    spf: SenderEvidence["spf"],
  ): Promise<boolean | undefined> {
    const { strangers } = this.#services.headerBudgets;
    // A signature that has expired since was valid when the message came.
    const clock = { ...this.#services.clock, now: () => envelope.receivedAt };
    const examination = new Examination({ ...this.#services, clock });
    const received = receivedPart(body, envelope.head);
    const { signatures } = await examineAll(received, examination, strangers);
    return examination.isCrowdedOut ? undefined : isVouchedFor(sender, { spf, signatures });
  }
}
