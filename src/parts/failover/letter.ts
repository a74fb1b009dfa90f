// The message to the postmaster about released mail that Google has refused for good.
//
// Invariant: its length is bounded. Text from strangers has no control characters, and is only in the body.

import type { Draft } from "../../mail/draft.ts";
import type { Mailbox } from "../../mail/envelope.ts";
import { letterDate, oneLine, wrapText } from "../../mail/text.ts";
import type { ListEntry, PostmasterList } from "../../spool/spool.ts";

/** Octets of all entries. */
const ENTRIES_MAX = 1024 * 1024;

const WHY =
  "Mail that waited while fail-over was on has been released. The following recipients were refused for good. Their " +
  "senders were not told, because a bounce would come too late. The copies in the Maildirs exist, unless a recipient " +
  "was never an account of yours:";

export function refusedDraft(hostname: string, to: Mailbox, list: PostmasterList): Draft {
  const { entries, more } = list;
  const count = Object.values(more).reduce((sum, others) => sum + others, entries.length);
  return {
    from: { name: "Mail Delivery System", address: `MAILER-DAEMON@${hostname}` },
    to,
    subject: `Fail-over: mail for ${count} ${count === 1 ? "recipient" : "recipients"} was refused`,
    fields: { "Auto-Submitted": "auto-generated" },
    content: textOf(hostname, entries, count),
  };
}

function textOf(hostname: string, entries: readonly ListEntry[], count: number): string {
  const texts: string[] = [];
  let octets = 0;
  for (const entry of entries) {
    const text = entryText(entry);
    octets += Buffer.byteLength(text);
    if (octets > ENTRIES_MAX) break;
    texts.push(text);
  }
  const others = count - texts.length;
  const paragraphs = [
    `This is the mail system at ${hostname}.`,
    wrapText(WHY),
    ...texts,
    ...(others === 0 ? [] : [`  ... and ${others} more, which the log names as message.listed`]),
    wrapText("relayctl trace ID shows what happened to a message."),
  ];
  return `${paragraphs.join("\r\n\r\n")}\r\n`;
}

function entryText({ at, id, sender, recipient, status }: ListEntry): string {
  return [
    wrapText(oneLine(recipient), "  "),
    wrapText(`from <${oneLine(sender)}>, refused ${letterDate(at)}, message ${id}`, "    "),
    wrapText(oneLine(status), "      "),
  ].join("\r\n");
}
