// What the journal says of a delivery: has it had its end? Mail is done by its address after all redirects, a copy by the
// place where it goes, whatever routers and transports are called and whichever recipient leads there.

import type { Mailbox } from "../envelope.ts";
import type { Finding } from "../settle.ts";
import { canonicalAddressOf } from "../smtp/address.ts";
import { type JournalEntry, namedPlaceOf } from "../spool.ts";

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
  finding: Finding,
  outcome: JournalEntry["outcome"],
  at: number,
): JournalEntry {
  const { position, mailbox, router, transport, unseen } = finding;
  const copy = unseen ? ({ unseen: true } as const) : {};
  const notes = { position, address: mailbox.address, router, transport };
  return { ...copy, target: targetOf(finding), outcome, at, ...notes };
}

export class Journal {
  readonly #mail = new Set<string>();
  readonly #copies = new Set<string>();

  constructor(entries: readonly JournalEntry[]) {
    for (const { unseen, target } of entries) {
      if (unseen === true) this.#copies.add(target);
      else this.#mail.add(target);
    }
  }

  /** It was delivered, or failed, or is frozen: it is not begun again. */
  has(delivery: Named): boolean {
    if (!delivery.unseen) return this.#mail.has(targetOf(delivery));
    if (this.#copies.size === 0) return false;
    const { mailbox, router, transport } = delivery;
    // An older version knew a copy by its names only.
    return (
      this.#copies.has(targetOf(delivery)) ||
      this.#copies.has(namedPlaceOf(mailbox.address, router, transport))
    );
  }
}
