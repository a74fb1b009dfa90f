// relayctl archive search: a page of hits, newest first.

import type { ListedMessage } from "../../../archive/archive.ts";
import { fitted } from "../../../base/fitted.ts";
import { printable } from "../../../base/printable.ts";
import { paint, print, printJson } from "../../../base/terminal.ts";
import type { Given } from "../../../contract/command.ts";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import type { CommandMeans } from "../../part.ts";
import { isListed, type SearchOrder } from "../operations/search.ts";
import { askArchive } from "./ask.ts";

interface SearchFlags extends Given {
  readonly account: string | undefined;
  readonly limit: number;
  readonly after: number | undefined;
  readonly imap: boolean;
}

export async function archiveSearch(
  query: string,
  { json, account, limit, after, imap }: SearchFlags,
  means: CommandMeans,
): Promise<number> {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (query.trim() === "") throw new CommandError("there is nothing to search for", EXIT.usage);
  const order: SearchOrder = {
    query,
    imap,
    zone,
    accounts: account === undefined ? undefined : [account],
    before: after,
    // People are told whether there are more.
    limit: json ? limit : limit + 1,
  };
  const found = askArchive(means, "search", order);
  if (json) {
    for await (const message of found) await printJson(message);
    return EXIT.ok;
  }
  const messages = await Array.fromAsync(found);
  await print(pageText(messages.filter(isListed), limit, zone));
  return EXIT.ok;
}

/** A table of 80 columns with at most `limit` messages, and a last line that says how to go on. */
export function pageText(found: readonly ListedMessage[], limit: number, zone: string): string {
  const messages = found.slice(0, limit);
  const last = messages.at(-1);
  if (last === undefined) return "No messages.\n";
  const isOneAccount = messages.every(({ account }) => account === last.account);
  const whoOf = (message: ListedMessage) => (isOneAccount ? otherSide(message) : message.account);
  const time = timeIn(zone);
  const lines = messages.map((message) =>
    row(time(message.date), String(message.id), whoOf(message), message.subject || "(no subject)"),
  );
  const count = `${messages.length} ${messages.length === 1 ? "message" : "messages"}.`;
  const more = found.length > limit ? ` For older ones, add: --after ${last.id}` : "";
  const head = row("DATE", "ID", isOneAccount ? "FROM" : "ACCOUNT", "SUBJECT");
  return `${[paint("bold", head), ...lines, paint("dim", `${count}${more}`)].join("\n")}\n`;
}

const WIDTHS = { date: 16, id: 11, who: 20, subject: 27 };

function row(date: string, id: string, who: string, subject: string): string {
  return [
    fitted(date, WIDTHS.date),
    id.padStart(WIDTHS.id),
    fitted(printable(who), WIDTHS.who),
    fitted(printable(subject), WIDTHS.subject).trimEnd(),
  ].join("  ");
}

/** The name of the sender, or of the recipient of sent mail. Without a name, the address. */
function otherSide({ folder, from, to }: ListedMessage): string {
  return folder === "Sent" ? `To: ${nameOf(to)}` : nameOf(from);
}

function nameOf(mailbox: string): string {
  const [, name, address] = /^\s*"?([^"<]*?)"?\s*<([^>]*)>/.exec(mailbox) ?? [];
  return name || address || mailbox;
}

/** "2026-11-30 14:05" in the zone. */
export function timeIn(zone: string): (iso: string) => string {
  const format = new Intl.DateTimeFormat("sv-SE", {
    dateStyle: "short",
    timeStyle: "short",
    timeZone: zone,
  });
  return (iso) => format.format(new Date(iso));
}
