// Decides which addresses of a message are the same. Domains do not differ by case. Local parts of our own domains do
// not either, and in lists and Maildirs they never do. For other domains only their host may decide (RFC 5321 2.4).
//
// Invariants:
// - Before an address with capitals is compared, the gate is asked whether its domain is ours.
// - While the list of our domains cannot be read, case counts. Then a message may come twice, but is withheld from no
//   recipient.

import type { Mailbox } from "../mail/envelope.ts";
import type { Gate } from "../receive/gate/gate.ts";
import { canonicalAddressOf } from "../mail/address.ts";

/** Only ASCII: other letters that differ by case may differ by more. */
const CAPITALS = /[A-Z]+/g;
const CAPITAL = /[A-Z]/;

type Address = Pick<Mailbox, "localPart" | "domain">;

export class AddressKeys {
  readonly #gate: Pick<Gate, "isLocal"> | undefined;
  readonly #ours = new Map<string, boolean>();

  /** Without a gate no domain is ours. */
  constructor(gate: Pick<Gate, "isLocal"> | undefined) {
    this.#gate = gate;
  }

  /** Asks the gate about the domains of these addresses; call it before `of`. Undefined if no question is needed. */
  learn(...all: readonly (readonly { readonly mailbox: Address }[])[]): Promise<void> | undefined {
    let unknown: Set<string> | undefined;
    for (const some of all) {
      for (const { mailbox } of some) {
        if (!CAPITAL.test(mailbox.localPart) || this.#ours.has(mailbox.domain)) continue;
        unknown ??= new Set();
        unknown.add(mailbox.domain);
      }
    }
    return unknown && this.#gate && this.#ask(this.#gate, unknown);
  }

  async #ask(gate: Pick<Gate, "isLocal">, domains: ReadonlySet<string>): Promise<void> {
    for (const domain of domains) this.#ours.set(domain, (await gate.isLocal(domain)) === true);
  }

  /** A key that is equal for equal addresses. */
  of({ localPart, domain }: Address): string {
    const isOurs = this.#ours.get(domain) === true;
    const known = isOurs ? localPart.replaceAll(CAPITALS, (few) => few.toLowerCase()) : localPart;
    return canonicalAddressOf({ localPart: known, domain });
  }
}

/** The address in a target of the journal. */
export function addressOfTarget(target: string): Address {
  const at = target.lastIndexOf("@");
  return { localPart: target.slice(0, at), domain: target.slice(at + 1) };
}
