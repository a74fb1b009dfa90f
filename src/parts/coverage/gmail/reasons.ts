// The likely reason why a message is on one side only. Google does not say, so most of it is a guess. Only the
// history of the relay is certain.

import type { Accounts } from "../../../accounts/accounts.ts";
import type { HistoryEvent, HistoryReader } from "../../../observe/history/read.ts";
import { longTime } from "../text.ts";
import type { ArchiveMessage } from "./archive.ts";
import type { MailboxMessage } from "./mailbox.ts";

export interface Reason {
  /** For programs. */
  readonly code: string;
  readonly text: string;
}

interface Known {
  /** The address of the account. */
  readonly account: string;
  readonly accounts: Accounts;
  /** Absent if the relay keeps none. */
  readonly history?: Pick<HistoryReader, "events"> | undefined;
}

/** The relay's id of the message, in the name of a copy that it wrote. */
const ID_IN_NAME = /\.M\d+E([0-9a-z]{10})G[0-9a-f]{8}P/;

/** Why the mailbox may lack a message that the archive has. */
export function reasonAtGoogle({ name, folder }: ArchiveMessage, known: Known): Reason {
  const id = ID_IN_NAME.exec(name)?.[1];
  const events = id === undefined ? undefined : known.history?.events(id);
  if (events === undefined || events.length === 0) return UNKNOWN;
  return folder.direction === "out" ? reasonOfSent(events) : reasonOfReceived(events, known);
}

const UNKNOWN: Reason = {
  code: "unknown",
  text: "deleted there, or lost; the history of the relay has nothing on it",
};

function reasonOfSent(events: readonly HistoryEvent[]): Reason {
  const accepted = events.find(({ name }) => name === "message.accepted");
  if (accepted === undefined) return UNKNOWN;
  const [helo, client] = [textIn(accepted, "helo"), textIn(accepted, "client")];
  if (/\.google\.com$/i.test(helo)) {
    const text = `Gmail sent it on ${longTime(accepted.at)}: deleted there since, or lost`;
    return { code: "sent-by-gmail", text };
  }
  const text = `sent through this relay by ${helo} [${client}], so Gmail never had it`;
  return { code: "sent-elsewhere", text };
}

function reasonOfReceived(events: readonly HistoryEvent[], { account, accounts }: Known): Reason {
  const ours = events.filter(({ name, fields }) => {
    const isMail = name.startsWith("delivery.") && fields["unseen"] !== true;
    const recipient = fields["original"] ?? fields["recipient"];
    return isMail && ownerOf(recipient, accounts) === account;
  });
  const last = ours.findLast(({ name }) => name === "delivery.done") ?? ours.at(-1);
  if (last === undefined) return UNKNOWN;
  const status = textIn(last, "status");
  switch (last.name) {
    case "delivery.done": {
      const text = `${textIn(last, "host")} took it on ${longTime(last.at)} (${status}): deleted there since, or lost`;
      return { code: "accepted", text };
    }
    case "delivery.failed":
      return { code: "refused", text: `it could not be delivered: ${status}` };
    default: {
      const isOver = events.some(({ name }) => name === "message.completed");
      if (isOver) return { code: "removed", text: "it left the queue before it was delivered" };
      return { code: "waiting", text: `it still waits in the queue: ${status}` };
    }
  }
}

function textIn(event: HistoryEvent, field: string): string {
  const value = event.fields[field];
  return typeof value === "string" ? value : "?";
}

function ownerOf(address: unknown, accounts: Accounts): string | undefined {
  return typeof address === "string" ? accounts.find(address)?.account.address : undefined;
}

/** Why the archive may lack a message that the mailbox has. */
export function reasonInArchive(message: MailboxMessage, { account, accounts }: Known): Reason {
  const { from, to, labels } = message;
  const domains = new Set(accounts.all.map(({ address }) => domainOf(address)));
  const isOurs = (address: string) => domains.has(domainOf(address));
  const [author = ""] = from;
  if (labels.includes("SENT")) return reasonOfUnseenSent(author, to, isOurs);
  if (isOurs(author)) return INTERNAL;
  const isForSelf = to.some((address) => ownerOf(address, accounts) === account);
  const group = to.find((address) => accounts.find(address)?.account.kind === "group");
  if (!isForSelf && group !== undefined) {
    return {
      code: "group",
      text: `sent to the group ${group}: Google hands it on inside, and the copy is in the Maildir of the group`,
    };
  }
  if (/(?:^|\.)google\.com$/.test(domainOf(author))) {
    return { code: "google", text: `${author} is a service of Google, and its mail stays inside` };
  }
  return {
    code: "other-way",
    text: "it came another way: an MX record that names Google, POP, or an import",
  };
}

const INTERNAL: Reason = {
  code: "internal",
  text: "internal mail: Google hands it over inside, unless a routing rule for internal mail sends it here",
};

function reasonOfUnseenSent(
  author: string,
  to: readonly string[],
  isOurs: (address: string) => boolean,
): Reason {
  if (author !== "" && !isOurs(author)) {
    const text = `sent as ${author}, by an external server ("send mail as"), so it went around this relay`;
    return { code: "send-as", text };
  }
  if (to.length > 0 && to.every(isOurs)) return INTERNAL;
  return {
    code: "not-relayed",
    text: 'sent around this relay: by an external server ("send mail as"), or Google has no outbound gateway set',
  };
}

function domainOf(address: string): string {
  return address.slice(address.lastIndexOf("@") + 1);
}
