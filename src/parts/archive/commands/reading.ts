// The commands that find messages and show them.

import { word } from "../../../contract/command.ts";
import { flag, integer, optional, options, withDefault } from "../../../options/options.ts";
import { type PartCommand, partCommand } from "../../part.ts";

const SEARCH_NOTES = `A query is words and "phrases": a message must hold all of them. word* is the
beginning of a word. -term excludes; OR and parentheses give a choice.

In one place: from: to: subject: body: attachment: filename: id: account: folder:
in:sent in:inbox has:attachment.

By the delivery: after:2026-11-30 before: on:yesterday newer:30d older:1y. By the
size: larger:5M smaller:64K.

Write -- before a query that begins with "-". The chapter "Search" of
docs/archive.md has all of it. Dates are those of your time zone (TZ).

Exit status: 0, also if there are no hits; 64 the query is wrong, 69 there is no
index yet, or it is damaged; 78 the configuration is wrong or has no [archive].`;

const SHOW_NOTES = `Without a flag, prints the fields, the attachments with their numbers, and the
text. On a terminal, control characters are shown as \\u001b. --raw into a file or
a pipe writes the exact octets, and so does --attachment.

Exit status: 0, 1 there is no such message or attachment, 64 wrong usage, 69 there
is no index yet, or it is damaged; 78 the configuration is wrong or has no
[archive].`;

const MOST = 1_000_000;

export const readingCommands: readonly PartCommand[] = [
  partCommand({
    name: "archive search",
    summary: "find messages, newest first",
    argument: "<query>",
    flags: options({
      account: optional(word("address", "only messages of this account")),
      limit: withDefault(integer("show at most this many messages", 1, MOST), 50),
      after: optional(
        integer("the next page: only messages after the one with this id in the list", 1),
      ),
      imap: withDefault(flag("the query consists of search keys of IMAP, as RFC 9051"), false),
    }),
    notes: SEARCH_NOTES,
    run: async ([query = ""], given, means) =>
      (await import("./search.ts")).archiveSearch(query, given, means),
  }),
  partCommand({
    name: "archive show",
    summary: "show a message",
    argument: "<id>",
    flags: options({
      raw: withDefault(flag("print the file as it is"), false),
      text: withDefault(flag("print only the text"), false),
      attachment: optional(integer("write the content of this attachment to stdout", 1)),
    }),
    notes: SHOW_NOTES,
    run: async ([id = ""], given, means) =>
      (await import("./show.ts")).archiveShow(id, given, means),
  }),
];
