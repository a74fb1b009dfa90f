// The durable store, as the rest of the relay sees it: messages, their recipients, the journal of finished
// deliveries. docs/spool.md holds the state table. The engine behind it is replaceable; today's is SQLite.
//
// Invariants: a promise that resolves has reached the disk (file, directory and database synced). What the journal
// holds is never delivered again. A message leaves the spool in one transaction with everything it causes, so a
// crash finds it either as it was or as it will be.
//
// Doors: clock-ahead.ts, disk-reserve.ts, events.ts, interrupted.ts, listed.ts, longest-wait.ts, new-message.ts, queue-view.ts,
// spool-engine.ts.

import type { Body, Envelope, MessageId, RecipientRequest } from "../mail/envelope.ts";
import type { Awaited, HostHint } from "../mail/host.ts";
import type { MaybePromise } from "../base/maybe-promise.ts";
import type { Status } from "../mail/status.ts";

/** "pending" has deliveries to come, a copy perhaps; "frozen" waits for the postmaster. */
export type RecipientState = "pending" | "delivered" | "failed" | "frozen";

/** When something is tried again. */
export interface Wait {
  /** Milliseconds since the epoch, as every time here. */
  readonly nextAttempt: number;
  /** What makes it due before its time: the end of this hint. */
  readonly waitsFor?: Awaited;
  /** The domain that the postmaster holds back: its release makes it due before its time. */
  readonly heldDomain?: string;
}

/** A copy that was deferred. */
export interface WaitingCopy extends Wait {
  readonly address: string;
  readonly router: string;
  /** Where it goes; absent when its router could not say, and when it was deferred by an older version. */
  readonly place?: string;
  /** Positions of further recipients that it is for: they do not wait for it. */
  readonly others?: readonly number[];
  readonly attempts: number;
  readonly firstFailure: number;
  readonly lastStatus: Status;
}

/** The clocks of a recipient with copies that wait. */
export interface Clocks {
  /** Of the address itself; absent when it does not wait, because it has had its end for example. */
  readonly mail?: Wait;
  readonly copies: readonly WaitingCopy[];
}

/** `attempts`, `firstFailure` and `lastStatus` are those of the address itself, not of its copies. */
export interface StoredRecipient extends RecipientRequest, Wait {
  /** Place among the recipients of its message, from 0. */
  readonly position: number;
  readonly state: RecipientState;
  readonly attempts: number;
  /** Absent until something failed. */
  readonly firstFailure?: number;
  /** Of its last attempt; before the first, why it waits. */
  readonly lastStatus?: Status;
  /** Why the mail was put off without an attempt, the last time that it was due; absent when it was tried then. */
  readonly waitsBecause?: string;
  /** Absent when no copy waits; `nextAttempt` is the first of them. */
  readonly clocks?: Clocks;
  /** The postmaster has ordered an attempt: all of it is due, whatever is known of its hosts. */
  readonly forced?: true;
  /** The mail has had its end, and only copies are still to be made. */
  readonly mailDone?: true;
  /** Absent unless something of it is frozen, and where an older version has frozen it for another reason. */
  readonly frozenWhy?: FrozenWhy;
}

/**
 * Why something of a recipient is frozen; of several reasons the first in this order: the postmaster has ordered it; a
 * copy cannot be made; a transport has asked for it; the mail has failed, and there is nobody to be told.
 */
export type FrozenWhy = (typeof FROZEN_WHYS)[number];
export const FROZEN_WHYS = ["ordered", "copy", "delivery", "nobody-to-tell"] as const;

/**
 * A delivery that has had its end. `unseen` and `target` are its key inside a message: whatever routers and transports
 * are called, and whichever recipient leads there, it is not begun again. The other fields are notes.
 */
export interface JournalEntry {
  /** A copy. */
  readonly unseen?: true;
  /** Of mail the address that it was for, after all redirects, in canonical form; of a copy its place, a Maildir. */
  readonly target: string;
  readonly outcome: "delivered" | "failed" | "frozen";
  readonly at: number;
  /**
   * An alias of the same address has led there, so that the address may lead to others too; also of entries of a version
   * that did not note it.
   */
  readonly homonym?: true;
  /** The first recipient that led there. */
  readonly position: number;
  /** As it was written. */
  readonly address: string;
  readonly router: string;
  readonly transport: string;
}

/** The target of a copy of which only the names are known: no router led to a place, or an older version made it. */
export function namedPlaceOf(address: string, router: string, transport: string): string {
  return `${address}\n${router}\n${transport}`;
}

/** "active": an attempt is recorded and under way. "queued": waits for its time. */
export type MessageState = "active" | "queued" | "frozen";

export interface StoredMessage {
  readonly envelope: Envelope;
  readonly state: MessageState;
  readonly recipients: readonly StoredRecipient[];
  readonly journal: readonly JournalEntry[];
  /** Delay warnings that went out. */
  readonly warnings: number;
  /** Somebody vouches for the sender, or nobody does; absent while that was not asked, or could not be answered. */
  readonly vouched?: boolean;
  /** How often it could not be answered. */
  readonly vouchTries?: number;
  /** The relay ended in the middle of an attempt: it may have delivered more than the journal knows. */
  readonly interrupted?: true;
  readonly body: Body;
}

export interface NewMessage {
  readonly envelope: Omit<Envelope, "size">;
  readonly recipients: readonly RecipientRequest[];
  /** As in {@link StoredMessage}, if it is known. */
  readonly vouched?: boolean;
}

/** A report of ours that enters the spool together with what it reports. */
export interface NewReport extends NewMessage {
  readonly bytes: Buffer;
}

/**
 * Why the postmaster hears of a recipient that has not had its mail, and the sender does not: nobody vouches for the
 * sender's address; the recipient is one member of an alias, of whom the sender need not know; or the sender is null, and
 * the message was frozen for as long as it may be.
 */
export type ListedWhy = (typeof LISTED_WHYS)[number];
export const LISTED_WHYS = ["unvouched", "alias-member", "nobody-to-tell"] as const;

/** One line of the postmaster's list. */
export interface ListEntry {
  readonly why: ListedWhy;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly id: MessageId;
  /** "" for <>. */
  readonly sender: string;
  /** The address that was tried, and that of RCPT if it is another one. */
  readonly recipient: string;
  readonly original?: string;
  /** What the host said, or what we found. */
  readonly status: string;
}

/** What stands on the postmaster's list. */
export interface PostmasterList {
  readonly entries: readonly ListEntry[];
  /** How many more there were, for which the list had no room. */
  readonly more: Readonly<Partial<Record<ListedWhy, number>>>;
  /** The number of the last entry. */
  readonly last: number;
}

export type RecipientChange = Pick<
  StoredRecipient,
  | "position"
  | "state"
  | "attempts"
  | "firstFailure"
  | "nextAttempt"
  | "lastStatus"
  | "waitsFor"
  | "heldDomain"
  | "waitsBecause"
  | "clocks"
  | "mailDone"
  | "frozenWhy"
>;

/** All that an attempt changed: one transaction. */
export interface Settlement {
  readonly id: MessageId;
  /** By the clock from which the next attempts were worked out. */
  readonly at: number;
  /** "completed" removes the message. */
  readonly state: MessageState | "completed";
  readonly recipients: readonly RecipientChange[];
  readonly journal: readonly JournalEntry[];
  readonly warnings: number;
  readonly reports: readonly NewReport[];
  /** What the postmaster is to hear of, because the sender does not. */
  readonly listed?: readonly ListEntry[];
  /** What has been found out of the sender. */
  readonly vouched?: boolean;
  readonly vouchTries?: number;
}

/** A message on its way in. */
export interface IncomingMessage {
  /** A promise asks to wait before the next piece. Keeps `piece`: it must not be reused. */
  write(piece: Buffer): MaybePromise<void>;
  /**
   * Resolves when the message is durable. `active` records its first attempt in the same transaction.
   * Throws SpoolError, and then keeps nothing.
   */
  commit(message: NewMessage, active: boolean): Promise<StoredMessage>;
  abort(): void;
}

/** The store refused a write; nothing of it was kept. */
export class SpoolError extends Error {
  /** No space, quota or inodes left: 452 rather than 451. */
  readonly full: boolean;

  constructor(message: string, full: boolean, cause?: unknown) {
    super(message, { cause });
    this.name = "SpoolError";
    this.full = full;
  }
}

/** Another relay has the spool. */
export class SpoolInUse extends Error {
  constructor(directory: string) {
    super(`another relay is running on the spool ${directory}`);
    this.name = "SpoolInUse";
  }
}

/** An address, or every address of a domain. Compared without case. */
export interface AddressFilter {
  readonly domain: string;
  readonly localPart?: string;
}

/** Messages that the postmaster means: those that fit everything that is given. */
export interface Filter {
  /** null is the null sender. */
  readonly sender?: AddressFilter | null;
  readonly recipient?: AddressFilter;
  /** Received at this time or earlier, or later than it; milliseconds since the epoch. */
  readonly until?: number;
  readonly after?: number;
  readonly state?: MessageState;
}

/** "retry" makes due now, whatever is known of hosts, and thaws; "remove" tells nobody. */
export type Action = "retry" | "freeze" | "thaw" | "remove";

/** What became of one message at the postmaster's word. */
export interface Change {
  readonly id: MessageId;
  /**
   * "active": an attempt is under way, so nothing was changed. "unchanged": it is as it was wanted to be, or has no such
   * recipient. "held": due, but for domains on hold. "failed": the log says why.
   */
  readonly result: "done" | "unknown" | "active" | "unchanged" | "held" | "failed";
}

export interface Claim {
  readonly changes: readonly Change[];
  readonly messages: readonly StoredMessage[];
}

export interface Spool {
  /** Retry hints that an earlier run has saved. */
  hints(): Promise<ReadonlyMap<string, HostHint>>;
  /** Undefined forgets it. */
  saveHint(key: string, hint: HostHint | undefined): Promise<void>;
  /** The keys of the hints that recipients wait for; at most so many. */
  awaited(most: number): Promise<readonly string[]>;
  /** Makes the `most` oldest that wait for the end of the hint with this key due now. How many there were. */
  wake(key: string, most: number): Promise<number>;
  nextId(): MessageId;
  receive(id: MessageId): IncomingMessage;
  /** Messages whose time has come, oldest first, each recorded as under attempt before it is returned. */
  take(now: number, limit: number): Promise<readonly StoredMessage[]>;
  /** The wall clock was set: what a clock that was ahead has put off is due now. */
  clockSet(): Promise<void>;
  /** When the next queued message is due; undefined when none waits. */
  nextDue(): Promise<number | undefined>;
  /** Notes a finished delivery of a message under attempt: in the journal within 0.5 s. */
  note(id: MessageId, entry: JournalEntry): void;
  settle(settlement: Settlement): Promise<void>;
  count(): Promise<number>;
  /** Does what the postmaster wants with messages; with `only`, with these recipients. None is under attempt. */
  change(
    action: Action,
    ids: readonly MessageId[],
    only?: AddressFilter,
  ): Promise<readonly Change[]>;
  /** Takes messages that the postmaster wants settled, each recorded as under attempt before it is returned. */
  claim(ids: readonly MessageId[]): Promise<Claim>;
  /** What the postmaster has not been sent yet. */
  listed(): Promise<PostmasterList>;
  /** Takes in the message that tells the postmaster of `list`, and forgets the list, in one transaction. */
  sendList(message: NewReport, list: PostmasterList): Promise<void>;
  /**
   * Lets messages that are frozen because there is nobody to be told grow older by `elapsed` milliseconds, and gives the
   * `most` first of those that are older than `after`. No message with a copy to be made, or that the postmaster has
   * frozen, is among them.
   */
  ageFrozen(elapsed: number, after: number, most: number): Promise<readonly MessageId[]>;
  /** Domains on hold. */
  holds(): Promise<readonly string[]>;
  hold(domain: string): Promise<void>;
  /** Ends the hold. The `most` oldest recipients that wait for that are due; how many there were. */
  release(domain: string, most: number): Promise<number>;
  /** Everything that was asked for is on disk, and the store is closed. */
  close(): Promise<void>;
}
