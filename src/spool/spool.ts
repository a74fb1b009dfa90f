// The durable store, as the rest of the relay sees it: messages, their recipients, the journal of finished
// deliveries. docs/spool.md holds the state table. The engine is replaceable; the present one is SQLite.
//
// Invariants:
// - When a promise resolves, its changes are on disk (file, directory and database synced).
// - A delivery in the journal is never repeated.
// - A message leaves the spool in one transaction with all its effects. A crash leaves it either before or after that.
//
// Doors: disk-reserve.ts, events.ts, longest-wait.ts, queue-view.ts.

import type { Body, Envelope, MessageId, RecipientRequest } from "../mail/envelope.ts";
import type { Awaited, HostHint } from "../mail/host.ts";
import type { MaybePromise } from "../base/maybe-promise.ts";
import type { Status } from "../mail/status.ts";

/** "pending" has deliveries to come, a copy perhaps; "frozen" waits for the postmaster. */
export type RecipientState = "pending" | "delivered" | "failed" | "frozen";

/** The next attempt of a delivery. */
export interface Wait {
  /** Milliseconds since the epoch, as every time here. */
  readonly nextAttempt: number;
  /** The hint whose end makes it due early. */
  readonly waitsFor?: Awaited;
  /** The domain on hold whose release makes it due early. */
  readonly heldDomain?: string;
  /** The transport on hold whose release makes it due early. */
  readonly heldTransport?: string;
}

/** A copy that was deferred. */
export interface WaitingCopy extends Wait {
  readonly address: string;
  readonly router: string;
  /** Its Maildir. Absent if its router could not tell, or if an older version deferred it. */
  readonly place?: string;
  /** Positions of further recipients that it is for. They do not wait for it. */
  readonly others?: readonly number[];
  readonly attempts: number;
  readonly firstFailure: number;
  readonly lastStatus: Status;
}

/** The separate waits of a recipient and of its copies. */
export interface Clocks {
  /** The wait of the mail itself. Absent if it does not wait, for example because it is finished. */
  readonly mail?: Wait;
  readonly copies: readonly WaitingCopy[];
}

/** `attempts`, `firstFailure` and `lastStatus` are those of the mail itself, not of its copies. */
export interface StoredRecipient extends RecipientRequest, Wait {
  /** Index among the recipients of its message, from 0. */
  readonly position: number;
  readonly state: RecipientState;
  readonly attempts: number;
  /** Absent until a delivery failed. */
  readonly firstFailure?: number;
  /** The status of its last attempt. Before the first attempt, the reason why it waits. */
  readonly lastStatus?: Status;
  /** The reason why the mail was last put off without an attempt. Absent if it was tried when it was last due. */
  readonly waitsBecause?: string;
  /** Absent if no copy waits. `nextAttempt` is the earliest of these times. */
  readonly clocks?: Clocks;
  /** The postmaster has ordered an attempt: mail and copies are due, whatever the hints say. */
  readonly forced?: true;
  /** The mail itself is finished, and only copies are still to be made. */
  readonly mailDone?: true;
  /** Absent if nothing of it is frozen, and if an older version froze it for another reason. */
  readonly frozenWhy?: FrozenWhy;
  /**
   * The mail has waited for a transport on hold. Its sender gets no warning, and its failure goes on the postmaster's
   * list: a report would come weeks later.
   */
  readonly withheld?: true;
}

/** A recipient in the spool. */
export interface WithheldKey {
  readonly id: MessageId;
  readonly position: number;
}

/** A recipient whose mail waits for the release of a transport. */
export interface Withheld extends WithheldKey {
  /** The address of RCPT, as it was written. */
  readonly address: string;
}

/**
 * Recipients whose mail has waited for a transport on hold, and is released and not delivered. Mail for a domain on hold
 * is not among them.
 */
export interface ReleasedWithheld {
  /** No attempt has been made since the release. */
  readonly untried: readonly Withheld[];
  /** The number of those that wait for a host that has failed. */
  readonly atHosts: number;
}

/**
 * The reason why a recipient is frozen. If there are several, the first in this order counts:
 * - ordered: by the postmaster.
 * - copy: a copy cannot be made.
 * - delivery: a transport has asked for it.
 * - nobody-to-tell: the mail has failed, and no sender can be told.
 */
export type FrozenWhy = (typeof FROZEN_WHYS)[number];
export const FROZEN_WHYS = ["ordered", "copy", "delivery", "nobody-to-tell"] as const;

/**
 * A finished delivery. `unseen` and `target` are its key inside a message: it is never begun again, even if router and
 * transport have other names or another recipient leads there. The other fields are notes.
 */
export interface JournalEntry {
  /** A copy. */
  readonly unseen?: true;
  /** For mail, its address after all redirects, in canonical form. For a copy, its Maildir. */
  readonly target: string;
  readonly outcome: "delivered" | "failed" | "frozen";
  readonly at: number;
  /**
   * An alias with the same address led there, so the address may lead to other deliveries too. Also set if an older
   * version did not record this.
   */
  readonly homonym?: true;
  /** The first recipient that led there. */
  readonly position: number;
  /** The address as it was written. */
  readonly address: string;
  readonly router: string;
  readonly transport: string;
}

/** Returns the target of a copy without a known place: no router gave one, or an older version made the copy. */
export function namedPlaceOf(address: string, router: string, transport: string): string {
  return `${address}\n${router}\n${transport}`;
}

/** "active": an attempt is recorded and under way. "queued": the message waits until it is due. */
export type MessageState = "active" | "queued" | "frozen";

export interface StoredMessage {
  readonly envelope: Envelope;
  readonly state: MessageState;
  readonly recipients: readonly StoredRecipient[];
  readonly journal: readonly JournalEntry[];
  /** Number of delay warnings that were sent. */
  readonly warnings: number;
  /** Whether a relay rule, SPF or DKIM vouches for the sender. Absent if that was not checked or is not known yet. */
  readonly vouched?: boolean;
  /** Number of checks that could not find it out. */
  readonly vouchTries?: number;
  /** The relay ended during an attempt, which may have delivered more than the journal records. */
  readonly interrupted?: true;
  readonly body: Body;
}

export interface NewMessage {
  readonly envelope: Omit<Envelope, "size">;
  readonly recipients: readonly RecipientRequest[];
  /** As in {@link StoredMessage}. */
  readonly vouched?: boolean;
}

/** A report of the relay. It enters the spool in the same transaction as the outcomes that it reports. */
export interface NewReport extends NewMessage {
  readonly bytes: Buffer;
}

/**
 * The reason why an undelivered recipient is reported to the postmaster and not to the sender:
 * - unvouched: neither a relay rule nor SPF nor DKIM vouches for the sender.
 * - alias-member: the recipient is a member of an alias, which the sender need not know.
 * - nobody-to-tell: the sender is null, and the message was frozen for the longest time allowed.
 * - withheld: the mail has waited for a transport on hold.
 */
export type ListedWhy = (typeof LISTED_WHYS)[number];
export const LISTED_WHYS = ["unvouched", "alias-member", "nobody-to-tell", "withheld"] as const;

/** One line of the postmaster's list. */
export interface ListEntry {
  readonly why: ListedWhy;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly id: MessageId;
  /** "" for <>. */
  readonly sender: string;
  /** The address that was tried. `original` is the address of RCPT, if that is another one. */
  readonly recipient: string;
  readonly original?: string;
  /** The host's answer, or the relay's own reason. */
  readonly status: string;
}

/** The postmaster's list, or the part of it that was asked for. */
export interface PostmasterList {
  /** The reasons that were asked for. */
  readonly whys: readonly ListedWhy[];
  readonly entries: readonly ListEntry[];
  /** Number of further entries above the limit, by reason. */
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
  | "heldTransport"
  | "withheld"
>;

/** All changes of an attempt: one transaction. */
export interface Settlement {
  readonly id: MessageId;
  /** The time from which the next attempts were computed. */
  readonly at: number;
  /** "completed" removes the message. */
  readonly state: MessageState | "completed";
  readonly recipients: readonly RecipientChange[];
  readonly journal: readonly JournalEntry[];
  readonly warnings: number;
  readonly reports: readonly NewReport[];
  /** Recipients to report to the postmaster instead of the sender. */
  readonly listed?: readonly ListEntry[];
  /** As in {@link StoredMessage}. Absent: unchanged. */
  readonly vouched?: boolean;
  readonly vouchTries?: number;
}

/** A message on its way in. */
export interface IncomingMessage {
  /** If it returns a promise, the caller waits for it before the next piece. `piece` is kept and must not be reused. */
  write(piece: Buffer): MaybePromise<void>;
  /**
   * Resolves when the message is durable. `active` records its first attempt in the same transaction.
   * Throws SpoolError; then nothing of the message is kept.
   */
  commit(message: NewMessage, active: boolean): Promise<StoredMessage>;
  abort(): void;
}

/** The store refused a write and has kept nothing of it. */
export class SpoolError extends Error {
  /** Space, quota or inodes are used up: the reply is 452 instead of 451. */
  readonly full: boolean;

  constructor(message: string, full: boolean, cause?: unknown) {
    super(message, { cause });
    this.name = "SpoolError";
    this.full = full;
  }
}

/** Another relay is using the spool. */
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

/** The postmaster's selection: messages that fit all fields that are present. */
export interface Filter {
  /** null is the null sender. */
  readonly sender?: AddressFilter | null;
  readonly recipient?: AddressFilter;
  /** Received at `until` or earlier, and later than `after`; milliseconds since the epoch. */
  readonly until?: number;
  readonly after?: number;
  readonly state?: MessageState;
}

/** "retry" thaws and makes due now, whatever the hints say. "remove" sends no report. */
export type Action = "retry" | "freeze" | "thaw" | "remove";

/** The result of the postmaster's order for one message. */
export interface Change {
  readonly id: MessageId;
  /**
   * "active": an attempt is under way, so nothing was changed. "unchanged": it has the wanted state already, or no such
   * recipient. "held": it is due, but all its domains are on hold. "failed": the log has the reason.
   */
  readonly result: "done" | "unknown" | "active" | "unchanged" | "held" | "failed";
}

export interface Claim {
  readonly changes: readonly Change[];
  readonly messages: readonly StoredMessage[];
}

export interface Spool {
  /** Returns the retry hints that an earlier run has saved. */
  hints(): Promise<ReadonlyMap<string, HostHint>>;
  /** Saves the hint. Undefined deletes it. */
  saveHint(key: string, hint: HostHint | undefined): Promise<void>;
  /** Returns the keys of the hints that recipients wait for, at most `most`. */
  awaited(most: number): Promise<readonly string[]>;
  /** Makes the oldest recipients that wait for the hint's end due now, at most `most`. Returns their number. */
  wake(key: string, most: number): Promise<number>;
  nextId(): MessageId;
  receive(id: MessageId): IncomingMessage;
  /** Returns due messages, oldest first. Each is recorded as under attempt before it is returned. */
  take(now: number, limit: number): Promise<readonly StoredMessage[]>;
  /** The wall clock was set: makes mail due that was put off by a clock that was ahead. */
  clockSet(): Promise<void>;
  /** Returns the time when the next queued message is due; undefined if no message waits. */
  nextDue(): Promise<number | undefined>;
  /** Notes a finished delivery of a message under attempt. It is in the journal within 0.5 s. */
  note(id: MessageId, entry: JournalEntry): void;
  settle(settlement: Settlement): Promise<void>;
  count(): Promise<number>;
  /**
   * Carries out the postmaster's order for messages that are not under attempt. `only` limits it to these recipients.
   */
  change(
    action: Action,
    ids: readonly MessageId[],
    only?: AddressFilter,
  ): Promise<readonly Change[]>;
  /** Takes messages to settle by the postmaster's order. Each is recorded as under attempt before it is returned. */
  claim(ids: readonly MessageId[]): Promise<Claim>;
  /** Returns the entries for these reasons, or for all, that were not sent to the postmaster yet. */
  listed(whys?: readonly ListedWhy[]): Promise<PostmasterList>;
  /** Stores the message that sends `list` to the postmaster, and removes these entries, in one transaction. */
  sendList(message: NewReport, list: PostmasterList): Promise<void>;
  /**
   * Adds `elapsed` milliseconds to the age of messages that are frozen only because no sender can be told. Returns
   * those that have reached the age `after`, at most `most`. A message with a copy to be made, or frozen by the
   * postmaster, is not among them.
   */
  ageFrozen(elapsed: number, after: number, most: number): Promise<readonly MessageId[]>;
  /** Domains on hold. */
  holds(): Promise<readonly string[]>;
  hold(domain: string): Promise<void>;
  /** Ends the hold. Makes the oldest recipients that wait for it due, at most `most`. Returns their number. */
  release(domain: string, most: number): Promise<number>;
  /** Returns recipients that wait for the release of a transport, oldest first, at most `most`, those after `after`. */
  withheld(most: number, after?: WithheldKey): Promise<readonly Withheld[]>;
  /**
   * Makes these recipients due, as if they had not waited, if they wait for the release of a transport. `forced`: their
   * attempt ignores what is known of hosts.
   */
  releaseWithheld(which: readonly WithheldKey[], forced?: true): Promise<void>;
  /** Returns at most `most` that are untried. */
  releasedWithheld(most: number): Promise<ReleasedWithheld>;
  /**
   * Makes mail that waits for a retry time due, at most `most` messages after the message `after`, so that it learns of
   * a hold. Returns the last of them, or undefined at the end of the queue.
   */
  hasten(most: number, after?: MessageId): Promise<MessageId | undefined>;
  /** Closes the store. Resolves when all changes are on disk. */
  close(): Promise<void>;
}
