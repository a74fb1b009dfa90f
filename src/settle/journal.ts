// Reads the journal: whether a delivery has had its end. Mail is identified by its address after all redirects, and a
// copy by its place, whichever router, transport or recipient leads there.

import type { Mailbox } from "../mail/envelope.ts";
import { AddressKeys } from "../mail/address-keys.ts";
import type { Finding } from "../retry/clocks/finding.ts";
import { canonicalAddressOf } from "../mail/address.ts";
import { type JournalEntry, namedPlaceOf } from "../spool/spool.ts";

/** The fields that identify a delivery. */
export interface Named {
  readonly unseen: boolean;
  readonly mailbox: Mailbox;
  readonly router: string;
  /** "" if no router led to a transport. */
  readonly transport: string;
  /** The place of a copy; absent if no router could name it. */
  readonly place?: string;
}

/** The key of a delivery in the journal, among mail or among copies. */
export function targetOf({ unseen, mailbox, place, router, transport }: Named): string {
  if (!unseen) return canonicalAddressOf(mailbox);
  return place ?? namedPlaceOf(mailbox.address, router, transport);
}

/** The journal entry of a delivery that has had its end. */
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

/** The address in a target of the journal. */
function addressOfTarget(target: string): Pick<Mailbox, "localPart" | "domain"> {
  const at = target.lastIndexOf("@");
  return { localPart: target.slice(0, at), domain: target.slice(at + 1) };
}

/** The addresses of mail in a journal. */
export function mailIn(entries: readonly JournalEntry[]) {
  const mail = entries.filter(({ unseen }) => unseen !== true);
  return mail.map(({ target }) => ({ mailbox: addressOfTarget(target) }));
}

export class Journal {
  /** By address: whether all deliveries that it leads to are done, as far as one entry can tell. */
  readonly #mail = new Map<string, boolean>();
  readonly #copies = new Set<string>();
  readonly #keys: AddressKeys;

  /** `keys` must have learnt the addresses of `mailIn(entries)`. */
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

  /** Whether the delivery was made, has failed or is frozen: then it is not begun again. */
  has(delivery: Named): boolean {
    if (!delivery.unseen) return this.#mail.has(this.#keys.of(delivery.mailbox));
    if (this.#copies.size === 0) return false;
    const { mailbox, router, transport } = delivery;
    // Entries of an older version name a copy by address, router and transport only.
    return (
      this.#copies.has(targetOf(delivery)) ||
      this.#copies.has(namedPlaceOf(mailbox.address, router, transport))
    );
  }

  /** Whether the mail of the address has had its end, and was not one of several that the address led to. */
  isServed(mailbox: Mailbox): boolean {
    return this.#mail.get(this.#keys.of(mailbox)) === true;
  }
}
