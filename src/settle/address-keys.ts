// Which addresses of a message are one. Domains do not differ by case, and local parts of our own domains do not either
// (in lists and Maildirs they never do); of other domains only their host may say so (RFC 5321 2.4).
//
// Invariant: a domain is asked about before an address with capitals in it is compared. While the list of our domains
// cannot be read, case counts: then a message may come twice, but is never kept from anybody.

import type { Mailbox } from "../mail/envelope.ts";
import type { Gate } from "../receive/gate/gate.ts";
import { canonicalAddressOf } from "../mail/address.ts";

/** Outside of ASCII, two letters that differ by case may differ by more. */
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

  /** To be called before `of` for the same addresses; undefined when nothing has to be asked. */
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

  /** The same text for addresses that are one. */
  of({ localPart, domain }: Address): string {
    const isOurs = this.#ours.get(domain) === true;
    const known = isOurs ? localPart.replaceAll(CAPITALS, (few) => few.toLowerCase()) : localPart;
    return canonicalAddressOf({ localPart: known, domain });
  }
}

/** The address that stands in a journal as a target. */
export function addressOfTarget(target: string): Address {
  const at = target.lastIndexOf("@");
  return { localPart: target.slice(0, at), domain: target.slice(at + 1) };
}
