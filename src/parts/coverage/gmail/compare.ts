// Compares two sides by Message-ID: the archive of an account, and its mailbox at Google.
//
// Invariants:
//
// - A message counts as present on a side only if a message there has its identity. The exact first Message-ID decides.
//   What is left over is paired one by one: by any Message-ID, without regard to case, and where a side has no
//   Message-ID by date and author, then by time.
// - Drafts and chats are no mail. They are never a partner.

import type { ArchiveMessage } from "./archive.ts";
import type { MailboxMessage } from "./mailbox.ts";
import type { Identity } from "./message-ids.ts";

interface Archived {
  readonly message: ArchiveMessage;
  /** Further messages with the same Message-ID. */
  copies: number;
  isPresent: boolean;
}

/** Counts of the mailbox, without its drafts and chats but for those two. */
interface MailboxCounts {
  messages: number;
  drafts: number;
  chats: number;
  /** Of those that the archive has. */
  spam: number;
  trash: number;
  withoutId: number;
  duplicates: number;
}

interface ArchiveCounts {
  messages: number;
  withoutId: number;
  duplicates: number;
}

/** Milliseconds before the time in which the mailbox may have the partners of archived messages. */
export const MARGIN = 24 * 3_600_000;
/** Milliseconds by which the times of two messages without a Message-ID, date and author may differ. */
const SAME_TIME = 3_600_000;

export class Comparison {
  readonly archive: ArchiveCounts = { messages: 0, withoutId: 0, duplicates: 0 };
  readonly mailbox: MailboxCounts = {
    messages: 0,
    drafts: 0,
    chats: 0,
    spam: 0,
    trash: 0,
    withoutId: 0,
    duplicates: 0,
  };
  /** Messages that are on both sides. Those of one Message-ID count once. */
  both = 0;
  /** By the first Message-ID. */
  readonly #archived = new Map<string, Archived>();
  #onlyArchived: ArchiveMessage[] = [];
  #onlyMail: MailboxMessage[] = [];
  /** Message-IDs in Maildirs that several accounts share. */
  readonly #shared = new Set<string>();
  readonly #mailIds = new Set<string>();
  readonly #since: number;

  /** Messages before `since`, in ms since the epoch, are only partners for others. */
  constructor(since: number) {
    this.#since = since;
  }

  addArchived(message: ArchiveMessage): void {
    const [id] = message.ids;
    if (message.folder.isShared) {
      for (const one of message.ids) this.#shared.add(one);
      return;
    }
    this.archive.messages++;
    if (id === undefined) {
      this.archive.withoutId++;
      this.#onlyArchived.push(message);
      return;
    }
    const known = this.#archived.get(id);
    if (known === undefined) this.#archived.set(id, { message, copies: 0, isPresent: false });
    else {
      known.copies++;
      this.archive.duplicates++;
    }
  }

  /** Call it when the archive has been read. */
  addMail(message: MailboxMessage): void {
    const [id] = message.ids;
    const { labels } = message;
    if (labels.includes("DRAFT")) return void this.mailbox.drafts++;
    if (labels.includes("CHAT")) return void this.mailbox.chats++;
    const isCounted = this.#isInTime(message);
    if (isCounted) this.mailbox.messages++;
    if (id === undefined) {
      if (isCounted) this.mailbox.withoutId++;
      this.#onlyMail.push(message);
      return;
    }
    if (isCounted && this.#mailIds.has(id)) this.mailbox.duplicates++;
    this.#mailIds.add(id);
    const known = this.#archived.get(id);
    if (known !== undefined) this.#pair(known, message);
    else if (!this.#shared.has(id)) this.#onlyMail.push(message);
  }

  /** A time before the margin contradicts the list that Google has given, so it does not count. */
  #isInTime({ time }: MailboxMessage): boolean {
    return time === undefined || time >= this.#since || time < this.#since - MARGIN;
  }

  #pair(archived: Archived, mail: MailboxMessage): void {
    if (archived.isPresent) return;
    archived.isPresent = true;
    this.#found(mail);
  }

  #found({ labels }: MailboxMessage): void {
    this.both++;
    if (labels.includes("SPAM")) this.mailbox.spam++;
    if (labels.includes("TRASH")) this.mailbox.trash++;
  }

  /** Pairs what is left over. Call it when the mailbox has been read. */
  pairTheRest(): void {
    for (const { message, isPresent } of this.#archived.values()) {
      if (!isPresent) this.#onlyArchived.push(message);
    }
    this.#archived.clear();
    this.#pairBy(({ ids }) => ids);
    this.#pairBy(({ ids }) => ids.map((id) => id.toLowerCase()));
    // Google may have replaced a Message-ID that it could not read.
    this.#pairBy(bareSignatures);
    this.#pairBy(signatures, bareSignatures);
    this.#pairBy(bareSignatures, signatures);
    this.#pairByTime();
  }

  /** Pairs messages of both sides that have a key in common, each with one. A message without a key stays. */
  #pairBy(
    archivedKeys: (message: Identity) => readonly string[],
    mailKeys: (message: Identity) => readonly string[] = archivedKeys,
  ): void {
    const waiting = new Map<string, MailboxMessage[]>();
    for (const mail of this.#onlyMail.toReversed()) {
      for (const key of new Set(mailKeys(mail))) {
        const others = waiting.get(key);
        if (others === undefined) waiting.set(key, [mail]);
        else others.push(mail);
      }
    }
    const paired = new Set<MailboxMessage>();
    const partnerOf = (archived: Identity): MailboxMessage | undefined => {
      for (const key of archivedKeys(archived)) {
        const others = waiting.get(key) ?? [];
        for (let mail = others.pop(); mail !== undefined; mail = others.pop()) {
          if (!paired.has(mail)) return mail;
        }
      }
      return undefined;
    };
    this.#onlyArchived = this.#onlyArchived.filter((archived) => {
      const partner = partnerOf(archived);
      if (partner === undefined) return true;
      paired.add(partner);
      this.#found(partner);
      return false;
    });
    this.#onlyMail = this.#onlyMail.filter((mail) => !paired.has(mail));
  }

  /** Messages without a Message-ID of which one side does not even show date and author. */
  #pairByTime(): void {
    const mails = this.#onlyMail
      .flatMap((mail) =>
        isBare(mail) && mail.time !== undefined ? [{ mail, time: mail.time }] : [],
      )
      .toSorted((one, other) => one.time - other.time);
    const paired = new Set<MailboxMessage>();
    let first = 0;
    const partnerOf = ({ time, signature }: ArchiveMessage): MailboxMessage | undefined => {
      while ((mails[first]?.time ?? Infinity) < time - SAME_TIME) first++;
      for (let at = first; (mails[at]?.time ?? Infinity) <= time + SAME_TIME; at++) {
        const mail = mails[at]?.mail;
        if (mail === undefined || paired.has(mail)) continue;
        if (mail.signature === undefined || signature === undefined) return mail;
      }
      return undefined;
    };
    this.#onlyArchived = this.onlyArchived.filter((archived) => {
      const partner = isBare(archived) ? partnerOf(archived) : undefined;
      if (partner === undefined) return true;
      paired.add(partner);
      this.#found(partner);
      return false;
    });
    this.#onlyMail = this.#onlyMail.filter((mail) => !paired.has(mail));
  }

  /** Messages that the mailbox lacks, oldest first. */
  get onlyArchived(): readonly ArchiveMessage[] {
    return this.#onlyArchived.toSorted((one, other) => one.time - other.time || byId(one, other));
  }

  /** Messages since the beginning of the time that the archive lacks, oldest first. */
  get onlyMail(): readonly MailboxMessage[] {
    return this.#onlyMail
      .filter((message) => this.#isInTime(message))
      .toSorted((one, other) => (one.time ?? 0) - (other.time ?? 0) || byId(one, other));
  }

  /** Takes the message off the list if a search has found it in the mailbox after all, as `mail`. */
  foundMail(archived: ArchiveMessage, mail: MailboxMessage): boolean {
    const { labels } = mail;
    const isMail = !labels.includes("DRAFT") && !labels.includes("CHAT");
    if (!isMail || !keysOf(archived).some((key) => keysOf(mail).includes(key))) return false;
    this.#onlyArchived = this.#onlyArchived.filter((one) => one !== archived);
    this.#found(mail);
    return true;
  }

  /** A second look at the archive: `found` takes what it sees, and `end` takes the partners off the list. */
  secondLook(): { found(archived: ArchiveMessage): void; end(): void } {
    const wanted = new Set(this.#onlyMail.flatMap(keysOf));
    const seen = new Set<string>();
    return {
      found(archived) {
        for (const key of keysOf(archived)) if (wanted.has(key)) seen.add(key);
      },
      end: () => {
        const rest = this.#onlyMail.filter((mail) => !keysOf(mail).some((key) => seen.has(key)));
        this.both += this.#onlyMail.length - rest.length;
        this.#onlyMail = rest;
      },
    };
  }
}

function isBare({ ids }: Identity): boolean {
  return ids.length === 0;
}

function byId({ ids: [one = ""] }: Identity, { ids: [other = ""] }: Identity): number {
  return one < other ? -1 : 1;
}

/** The keys of a message: its Message-IDs without regard to case; without one, date and author. */
function keysOf({ ids, signature }: Identity): readonly string[] {
  if (ids.length > 0) return ids.map((id) => id.toLowerCase());
  return signature === undefined ? [] : [signature];
}

function bareSignatures(message: Identity): readonly string[] {
  return isBare(message) ? signatures(message) : [];
}

function signatures({ signature }: Identity): readonly string[] {
  return signature === undefined ? [] : [signature];
}
