// The comparison of an archive with a mailbox, as text for 80 columns and as JSON.

import { join } from "node:path";
import { folded } from "../../../base/terminal.ts";
import { given } from "../../../base/given.ts";
import { printable } from "../../../base/printable.ts";
import { counted, figureLines, longTime, section } from "../text.ts";
import type { Archive, ArchiveMessage } from "./archive.ts";
import type { Compared } from "./comparing.ts";
import type { MailboxMessage } from "./mailbox.ts";
import type { Reason } from "./reasons.ts";

interface Missing<Message> {
  readonly message: Message;
  readonly reason: Reason;
}

export interface GmailReport extends Compared {
  readonly account: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly archive: Archive;
  /** In the archive, and not in the mailbox. */
  readonly atGoogle: readonly Missing<ArchiveMessage>[];
  /** Those that still wait in the queue for Google. */
  readonly waiting: readonly Missing<ArchiveMessage>[];
  /** In the mailbox, and not in the archive. */
  readonly inArchive: readonly Missing<MailboxMessage>[];
}

/** Nothing is missing, as far as everything could be read. */
export function isComplete({ atGoogle, inArchive, archive }: GmailReport): boolean {
  return atGoogle.length + inArchive.length + archive.unreadableCount === 0;
}

export function gmailLines(report: GmailReport): string[] {
  const { account, since, archive, atGoogle, inArchive, waiting } = report;
  return [
    ...folded(`Archive and mailbox of ${account}, since ${longTime(since)}`, 0),
    "",
    ...summaryLines(report),
    ...section("In the archive, and not in the mailbox:", atGoogle, archivedLines),
    ...section("In the mailbox, and not in the archive:", inArchive, mailLines),
    ...section("In the archive, and still on the way to the mailbox:", waiting, archivedLines),
    ...section("Cannot be read:", archive.unreadable, (what) => folded(what, 2)),
    "",
    ...folded(conclusion(report), 0),
  ];
}

function summaryLines({ comparison, ...report }: GmailReport): string[] {
  const { mailbox, archive: archived, both } = comparison;
  return figureLines(
    [
      ["Messages on both sides", both],
      ["In the archive, and not in the mailbox", report.atGoogle.length],
      ["In the mailbox, and not in the archive", report.inArchive.length],
      ["In the archive, and still in the queue for Google", report.waiting.length],
      ["On both sides, and in Trash: Google deletes it in 30 days", mailbox.trash],
      ["On both sides, and in Spam", mailbox.spam],
      ["Drafts in the mailbox, not compared", mailbox.drafts],
      ["Chats in the mailbox, not compared", mailbox.chats],
      ["Further copies in the archive, of the same Message-ID", archived.duplicates],
      ["Further messages in the mailbox, of the same Message-ID", mailbox.duplicates],
      ["Without a Message-ID in the archive", archived.withoutId, BY_DATE],
      ["Without a Message-ID in the mailbox", mailbox.withoutId, BY_DATE],
      ["Left the mailbox while it was read", report.vanished],
      ["In the archive only, and not searched for one by one", report.unsearched],
      ["Files and folders of the archive that cannot be read", report.archive.unreadableCount],
    ],
    3,
  );
}

/** How messages without a Message-ID are compared. */
const BY_DATE = "by date";

function conclusion(report: GmailReport): string {
  const { archive, comparison, atGoogle, inArchive } = report;
  if (archive.folders.length === 0) {
    return `The archive has no Maildir of ${report.account}.`;
  }
  if (isComplete(report)) {
    return comparison.both === 0 ? "There is nothing to compare." : "Nothing is missing.";
  }
  const sides = [
    atGoogle.length > 0 ? `the mailbox lacks ${counted(atGoogle.length, "message")}` : undefined,
    inArchive.length > 0 ? `the archive lacks ${counted(inArchive.length, "message")}` : undefined,
    archive.unreadableCount > 0 ? "some of the archive cannot be read" : undefined,
  ];
  const text = sides.filter((side) => side !== undefined).join(", ");
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function idText(ids: readonly string[]): string {
  return ids[0] === undefined ? "(no Message-ID)" : `<${printable(ids[0])}>`;
}

function archivedLines({ message, reason }: Missing<ArchiveMessage>): string[] {
  const { ids, time, folder, name } = message;
  return [
    `  ${idText(ids)}`,
    ...folded(`${longTime(time)}, ${join(folder.path, name)}`, 6),
    ...folded(reason.text, 6),
  ];
}

function mailLines({ message, reason }: Missing<MailboxMessage>): string[] {
  const { ids, time, labels, id } = message;
  const when = time === undefined ? "at an unknown time" : longTime(time);
  const where = labels.length === 0 ? "archived in Gmail" : labels.slice(0, 10).join(" ");
  return [
    `  ${idText(ids)}`,
    ...folded(`${when}, ${where}, Gmail id ${id}`, 6),
    ...folded(reason.text, 6),
  ];
}

export function gmailObject(report: GmailReport): object {
  const { account, since, archive, comparison, vanished, unsearched } = report;
  const { mailbox, archive: archived, both } = comparison;
  return {
    account,
    since: iso(since),
    is_complete: isComplete(report),
    both,
    missing_at_google: report.atGoogle.map(archivedObject),
    missing_in_archive: report.inArchive.map(mailObject),
    waiting: report.waiting.map(archivedObject),
    archive: {
      messages: archived.messages,
      without_message_id: archived.withoutId,
      duplicates: archived.duplicates,
      folders: archive.folders.map(({ path }) => path),
      unreadable: archive.unreadableCount,
      unreadable_first: archive.unreadable,
    },
    mailbox: {
      messages: mailbox.messages,
      without_message_id: mailbox.withoutId,
      duplicates: mailbox.duplicates,
      drafts: mailbox.drafts,
      chats: mailbox.chats,
      spam: mailbox.spam,
      trash: mailbox.trash,
      vanished,
    },
    unsearched,
  };
}

function archivedObject({ message, reason }: Missing<ArchiveMessage>): object {
  const { ids, time, folder, name } = message;
  return {
    message_id: ids[0] ?? null,
    time: iso(time),
    file: join(folder.path, name),
    reason: reason.code,
    why: reason.text,
  };
}

function mailObject({ message, reason }: Missing<MailboxMessage>): object {
  const { ids, time, labels, id, from } = message;
  return {
    message_id: ids[0] ?? null,
    ...given({ time: time === undefined ? undefined : iso(time) }),
    gmail_id: id,
    labels,
    ...given({ from: from[0] }),
    reason: reason.code,
    why: reason.text,
  };
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
