// Counts copies from the events of the history: of each account those in and out, senders without a copy, and copies
// that are not made yet.
//
// Invariant: it is bounded by the number of accounts, and by SENDERS_MAX and PENDING_MAX, whatever strangers send.

import { basename, dirname, isAbsolute, join } from "node:path";
import type { Accounts } from "../../../accounts/accounts.ts";
import { plainAddress } from "../../../observe/history/event-keys.ts";
import type { HistoryEvent, Story } from "../../../observe/history/read.ts";
import type { AccountMaildirs, Direction } from "../maildirs.ts";

export interface Copies {
  count: number;
  /** Milliseconds since the epoch. */
  last: number;
}

export type AccountCopies = { readonly [D in Direction]: Copies };

/** A sender in a local domain whose mail has passed without a copy of the account. */
export interface SenderCount extends Copies {
  readonly sender: string;
  /** "unlisted": the copy is in the folder of senders that are no account. "missing": there is no copy. */
  readonly kind: "unlisted" | "missing";
}

/** A copy that has not been made. */
export interface PendingCopy {
  readonly id: string;
  /** The recipient of the message. */
  readonly recipient: string;
  readonly transport: string;
  readonly state: "deferred" | "frozen" | "failed";
  readonly at: number;
}

const SENDERS_MAX = 10_000;
const PENDING_MAX = 10_000;
/** Copies of which a second event is recognized, at least. */
const RECENT_MAX = 50_000;

interface Place {
  readonly address: string;
  readonly direction: Direction;
}

interface Means {
  readonly accounts: Accounts;
  readonly maildirs: AccountMaildirs;
  /** Whether a router copies mail by its sender. */
  readonly isOutRouter: (name: string) => boolean;
  /** The sender of a message, in lower case, if the history has it. */
  readonly senderOf: (id: string) => string | undefined;
}

/** Whether the text of events can have one that counts. */
export function isAboutCopies(text: string): boolean {
  return text.includes('"unseen":true') || text.includes('"copy.');
}

export class Tally {
  /** By address of the account. */
  readonly accounts = new Map<string, AccountCopies>();
  readonly senders = new Map<string, SenderCount>();
  readonly pending = new Map<string, PendingCopy>();
  /** Copies in Maildirs that belong to no account. */
  elsewhere = 0;
  /** Messages of senders, and copies, for which there was no room. */
  uncounted = 0;
  readonly #means: Means;
  /** By Maildir; undefined for one that is not of a single account. */
  readonly #places = new Map<string, Place | undefined>();
  /** One copy may be for several recipients, with an event for each. */
  #recent = new Set<string>();
  #former: ReadonlySet<string> = new Set();

  constructor(means: Means) {
    this.#means = means;
    for (const { address } of means.accounts.all) {
      this.accounts.set(address, { in: { count: 0, last: 0 }, out: { count: 0, last: 0 } });
      for (const { path, direction, isShared } of means.maildirs.of(address)) {
        this.#places.set(path, isShared ? undefined : { address, direction });
      }
    }
  }

  read({ id, events }: Story): void {
    if (id === undefined) return;
    for (const event of events) this.#event(id, event);
  }

  #event(id: string, { name, at, fields }: HistoryEvent): void {
    if (name === "copy.unlisted") this.#sender(fields["sender"], "unlisted", at);
    else if (name === "copy.missing") this.#sender(fields["sender"], "missing", at);
    else if (fields["unseen"] === true) this.#copy(id, name, at, fields);
  }

  #sender(written: unknown, kind: SenderCount["kind"], at: number): void {
    const sender = plainOf(written);
    const key = `${kind} ${sender}`;
    const known = this.senders.get(key);
    if (known !== undefined) count(known, at);
    else if (this.senders.size < SENDERS_MAX) {
      this.senders.set(key, { sender, kind, count: 1, last: at });
    } else this.uncounted++;
  }

  #copy(id: string, name: string, at: number, fields: HistoryEvent["fields"]): void {
    const recipient = plainOf(fields["recipient"]);
    const transport = String(fields["transport"]);
    const key = `${id} ${transport} ${recipient}`;
    if (name === "delivery.done") {
      this.pending.delete(key);
      this.#done(id, recipient, at, fields);
      return;
    }
    const state = name.slice("delivery.".length);
    if (state !== "deferred" && state !== "frozen" && state !== "failed") return;
    if (this.pending.size < PENDING_MAX || this.pending.has(key)) {
      this.pending.set(key, { id, recipient, transport, state, at });
    } else this.uncounted++;
  }

  /** The Maildir says whose the copy is. Without one, the sender or the recipient does. */
  #done(id: string, recipient: string, at: number, fields: HistoryEvent["fields"]): void {
    const { host, router } = fields;
    const maildir = typeof host === "string" ? maildirOf(host) : undefined;
    const place =
      maildir === undefined
        ? this.#placeFor(id, recipient, String(router))
        : this.#places.get(maildir);
    if (!this.#isNew(`${id} ${maildir ?? JSON.stringify(place)}`)) return;
    if (place !== undefined) {
      const copies = this.accounts.get(place.address);
      if (copies !== undefined) count(copies[place.direction], at);
    } else if (maildir === undefined || !this.#places.has(maildir)) this.elsewhere++;
  }

  #isNew(copy: string): boolean {
    if (this.#recent.has(copy) || this.#former.has(copy)) return false;
    this.#recent.add(copy);
    if (this.#recent.size >= RECENT_MAX) {
      this.#former = this.#recent;
      this.#recent = new Set();
    }
    return true;
  }

  #placeFor(id: string, recipient: string, router: string): Place | undefined {
    const direction = this.#means.isOutRouter(router) ? "out" : "in";
    const written = direction === "in" ? recipient : this.#means.senderOf(id);
    const owner = written === undefined ? undefined : this.#means.accounts.find(written);
    return owner && { address: owner.account.address, direction };
  }
}

/** The Maildir of a file in it, "MAILDIR/new/NAME". Undefined for another place. */
function maildirOf(place: string): string | undefined {
  const folder = dirname(place);
  return isAbsolute(place) && basename(folder) === "new" ? join(dirname(folder)) : undefined;
}

function count(copies: Copies, at: number): void {
  copies.count++;
  copies.last = Math.max(copies.last, at);
}

function plainOf(address: unknown): string {
  return typeof address === "string" ? plainAddress(address) : "";
}
