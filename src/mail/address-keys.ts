// Decides which addresses of a message are the same. Domains do not differ by case. Local parts of our own domains do
// not either, and in lists and Maildirs they never do. For other domains only their host may decide (RFC 5321 2.4).
//
// Invariants:
// - Before an address with capitals is compared, the gate is asked whether its domain is ours.
// - While the list of our domains cannot be read, case counts. Then a message may come twice, but is withheld from no
//   recipient.

import { canonicalAddressOf } from "./address.ts";
import type { Mailbox } from "./envelope.ts";

/** Only ASCII: other letters that differ by case may differ by more. */
const CAPITALS = /[A-Z]+/g;
const CAPITAL = /[A-Z]/;

type Address = Pick<Mailbox, "localPart" | "domain">;

/** Knows which domains are ours. */
interface LocalDomains {
  /** Undefined when that cannot be known now. */
  isLocal(domain: string): boolean | undefined | Promise<boolean | undefined>;
}

export class AddressKeys {
  readonly #gate: LocalDomains | undefined;
  readonly #ours = new Map<string, boolean>();

  /** Without a gate no domain is ours. */
  constructor(gate: LocalDomains | undefined) {
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

  async #ask(gate: LocalDomains, domains: ReadonlySet<string>): Promise<void> {
    for (const domain of domains) this.#ours.set(domain, (await gate.isLocal(domain)) === true);
  }

  /** A key that is equal for equal addresses. */
  of({ localPart, domain }: Address): string {
    const isOurs = this.#ours.get(domain) === true;
    const known = isOurs ? localPart.replaceAll(CAPITALS, (few) => few.toLowerCase()) : localPart;
    return canonicalAddressOf({ localPart: known, domain });
  }
}
