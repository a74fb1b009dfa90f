// What the journal says of a delivery: has it had its end? Mail is done by its address after all redirects, a copy by the
// place where it goes, whatever routers and transports are called and whichever recipient leads there.

import type { Mailbox } from "../mail/envelope.ts";
import { AddressKeys, addressOfTarget } from "./address-keys.ts";
import type { Finding } from "../retry/finding.ts";
import { canonicalAddressOf } from "../mail/address.ts";
import { type JournalEntry, namedPlaceOf } from "../spool/spool.ts";

/** What names a delivery. */
export interface Named {
  readonly unseen: boolean;
  readonly mailbox: Mailbox;
  readonly router: string;
  /** "" when no router led to a transport. */
  readonly transport: string;
  /** Where a copy goes; absent when no router could say. */
  readonly place?: string;
}

/** The key of a delivery in the journal, among mail or among copies. */
export function targetOf({ unseen, mailbox, place, router, transport }: Named): string {
  if (!unseen) return canonicalAddressOf(mailbox);
  return place ?? namedPlaceOf(mailbox.address, router, transport);
}

/** What the journal says of a delivery that has had its end. */
export function entryOf(
  finding: Named & Pick<Finding, "position" | "homonym">,
  outcome: JournalEntry["outcome"],
  at: number,
): JournalEntry {
  const { position, mailbox, router, transport, unseen, homonym } = finding;
  const kind = {
    ...(unseen ? { unseen } : {}),
    ...(homonym === true && !unseen ? { homonym } : {}),
  };
  const notes = { position, address: mailbox.address, router, transport };
  return { ...kind, target: targetOf(finding), outcome, at, ...notes };
}

/** The addresses of mail in a journal. */
export function mailIn(entries: readonly JournalEntry[]) {
  const mail = entries.filter(({ unseen }) => unseen !== true);
  return mail.map(({ target }) => ({ mailbox: addressOfTarget(target) }));
}

export class Journal {
  /** By address: whether all that it leads to is done, as far as one entry can tell. */
  readonly #mail = new Map<string, boolean>();
  readonly #copies = new Set<string>();
  readonly #keys: AddressKeys;

  /** `keys` must have learnt what is `mailIn` the entries. */
  constructor(entries: readonly JournalEntry[], keys = new AddressKeys(undefined)) {
    this.#keys = keys;
    for (const { unseen, target, homonym } of entries) {
      if (unseen === true) this.#copies.add(target);
      else {
        const key = keys.of(addressOfTarget(target));
        this.#mail.set(key, this.#mail.get(key) === true || homonym !== true);
      }
    }
  }

  /** It was delivered, or failed, or is frozen: it is not begun again. */
  has(delivery: Named): boolean {
    if (!delivery.unseen) return this.#mail.has(this.#keys.of(delivery.mailbox));
    if (this.#copies.size === 0) return false;
    const { mailbox, router, transport } = delivery;
    // An older version knew a copy by its names only.
    return (
      this.#copies.has(targetOf(delivery)) ||
      this.#copies.has(namedPlaceOf(mailbox.address, router, transport))
    );
  }

  /** The mail of the address has had its end, and was not one of several that the address led to. */
  isServed(mailbox: Mailbox): boolean {
    return this.#mail.get(this.#keys.of(mailbox)) === true;
  }
}
