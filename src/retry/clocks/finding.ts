// The result of an attempt for one delivery.

import type { Outcome } from "../../contract/contract.ts";
import type { Mailbox } from "../../mail/envelope.ts";
import type { JournalEntry } from "../../spool/spool.ts";

/** The result of one delivery, or a decision of the chain itself. */
export interface Finding {
  /** The first recipient that led to it. */
  readonly position: number;
  /** Further recipients that led to it. */
  readonly others?: readonly number[];
  readonly mailbox: Mailbox;
  /** Further addresses that share the copy, each with the first recipient that led to it: one account or one sender. */
  readonly alsoTo?: readonly AlsoTo[];
  readonly original: Mailbox;
  readonly router: string;
  /** "" if no router led to a transport. */
  readonly transport: string;
  /** True: a copy, not the mail itself. */
  readonly unseen: boolean;
  /** A copy for a sender that is not in any list of accounts. */
  readonly unlisted?: true;
  /** An alias of the same address has led there. */
  readonly homonym?: true;
  /** The place of a copy, if it is known. */
  readonly place?: string;
  readonly outcome: Outcome;
}

export interface AlsoTo {
  readonly position: number;
  readonly mailbox: Mailbox;
}

/** The outcome of a delivery in the journal, or "deferred". */
export type Ending = JournalEntry["outcome"] | "deferred";
