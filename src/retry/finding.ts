// What an attempt has come to for one delivery.

import type { Outcome } from "../contract/contract.ts";
import type { Mailbox } from "../mail/envelope.ts";
import type { JournalEntry } from "../spool/spool.ts";

/** How one delivery ended, the chain's own verdicts included. */
export interface Finding {
  /** The first recipient that led to it. */
  readonly position: number;
  /** Further recipients that did. */
  readonly others?: readonly number[];
  readonly mailbox: Mailbox;
  /** Further addresses whose copy it is, with the first that led to each: they may be one account, or one sender's. */
  readonly alsoTo?: readonly AlsoTo[];
  readonly original: Mailbox;
  readonly router: string;
  /** "" when no router led to a transport. */
  readonly transport: string;
  /** A copy. */
  readonly unseen: boolean;
  /** A copy for a sender whom no list of accounts names. */
  readonly unlisted?: true;
  /** An alias of the same address has led there. */
  readonly homonym?: true;
  /** Where a copy goes, if that is known. */
  readonly place?: string;
  readonly outcome: Outcome;
}

export interface AlsoTo {
  readonly position: number;
  readonly mailbox: Mailbox;
}

/** How a delivery ended, or that it has not. */
export type Ending = JournalEntry["outcome"] | "deferred";
