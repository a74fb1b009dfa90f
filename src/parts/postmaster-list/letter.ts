// The message to the postmaster about mail that was not delivered and whose sender was not told.
//
// Invariant: its length is bounded. Text from strangers has no control characters, and is only in the body.

import { letterDate, oneLine, wrapText } from "../../mail/text.ts";
import type { Draft } from "../../mail/draft.ts";
import type { Mailbox } from "../../mail/envelope.ts";
import { type ListedWhy, type ListEntry, type PostmasterList } from "../../spool/spool.ts";

export interface ListRequest {
  readonly hostname: string;
  readonly to: Mailbox;
  readonly list: PostmasterList;
}

/** Octets of the entries for one reason. */
const SECTION_MAX = 32 * 1024;

/** The reasons in the daily list. Mail that has waited for a transport on hold is reported at the end of the release. */
export const DAILY_WHYS = [
  "unvouched",
  "alias-member",
  "nobody-to-tell",
] as const satisfies ListedWhy[];

type DailyWhy = (typeof DAILY_WHYS)[number];

const REASONS: Readonly<Record<DailyWhy, string>> = {
  unvouched:
    "The address of the sender is not proven (no SPF pass, no DKIM signature of its domain). It may be forged, " +
    "so no bounce was sent:",
  "alias-member":
    "The mail reached other members of the alias, and the sender need not know the members. Please correct the alias:",
  "nobody-to-tell":
    "The sender is null (<>), as in a bounce, so no report may be sent. The message stayed frozen in the queue for the " +
    "time in frozen_after, and has been removed:",
};

/** The draft of the message. */
export function listDraft(request: ListRequest): Draft {
  const { hostname, to, list } = request;
  const count = countOf(list);
  const recipients = `${count} ${count === 1 ? "recipient" : "recipients"}`;
  return {
    from: { name: "Mail Delivery System", address: `MAILER-DAEMON@${hostname}` },
    to,
    subject: `Mail that was not delivered: ${recipients} whose sender was not told`,
    fields: { "Auto-Submitted": "auto-generated" },
    content: textOf(request),
  };
}

function countOf({ entries, more }: PostmasterList): number {
  return Object.values(more).reduce((sum, count) => sum + count, entries.length);
}

function textOf({ hostname, list }: ListRequest): string {
  const sections = DAILY_WHYS.flatMap((why) => sectionOf(why, list));
  const paragraphs = [
    `This is the mail system at ${hostname}.`,
    wrapText(
      "The following recipients have not had their mail, and the senders were not told of it.",
    ),
    ...sections,
    wrapText("relayctl trace ID shows what happened to a message."),
  ];
  return `${paragraphs.join("\r\n\r\n")}\r\n`;
}

function sectionOf(why: DailyWhy, { entries, more }: PostmasterList): string[] {
  const own = entries.filter((entry) => entry.why === why);
  const texts: string[] = [];
  let octets = 0;
  for (const entry of own) {
    const text = entryText(entry);
    octets += Buffer.byteLength(text);
    if (octets > SECTION_MAX) break;
    texts.push(text);
  }
  const others = own.length - texts.length + (more[why] ?? 0);
  if (texts.length + others === 0) return [];
  return [wrapText(REASONS[why]), ...texts, ...(others === 0 ? [] : [`  ... and ${others} more`])];
}

function entryText({ at, id, sender, recipient, original, status }: ListEntry): string {
  const from = `<${oneLine(sender)}>`;
  return [
    wrapText(oneLine(recipient), "  "),
    ...(original === undefined ? [] : [wrapText(`(written to ${oneLine(original)})`, "    ")]),
    wrapText(`from ${from}, ${letterDate(at)}, message ${id}`, "    "),
    wrapText(oneLine(status), "      "),
  ].join("\r\n");
}
