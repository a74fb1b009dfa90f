// The commands that bring mail into the archive and out of it: import and export.

import { word } from "../../../contract/command.ts";
import { declared, oneOf, optional, options } from "../../../options/options.ts";
import { EXPORT_FORMATS } from "../export/export.ts";
import { type PartCommand, partCommand } from "../../part.ts";

const IMPORT_NOTES = `Each path is an mbox (also one of Google Takeout), a Maildir, a zip of .eml files
or of mboxes, an .eml file, a directory of all these, or imaps://USER@HOST/FOLDER
(without FOLDER: all folders). The password is asked for on the terminal, or read
from the first line of standard input.

Octets and times are kept; line ends become those of the archive (LF). A message
that the account has is not imported again, so an import that was cut off is
simply run again. Without --folder, a message goes to the folder that its source
names, or to the inbox.

Exit status: 0 done, 1 something was refused, 64 wrong usage, 66 a path cannot be
read, 69 the server does not answer or refuses the password, or another import
into the account is running, 78 the configuration is wrong or has no [archive].`;

const EXPORT_NOTES = `mbox is one file in the form mboxrd. maildir and eml are directories, zip is a zip
of .eml files. An .eml file is the file of the archive, octet for octet; its time
is the time of delivery. If the messages are of several accounts, each account
has a directory of its own.

The export is written to PATH.partial, and gets its name when it is whole. After
a cut, run the same command again: a directory goes on where it was.

Exit status: 0 done, 1 no message matches, PATH exists, the disk is full, or a
message cannot be read, 64 wrong usage, 69 the archive does not answer, 78 the
configuration is wrong or has no [archive].`;

/** A flag that must be given. */
function needed(type: string, doc: string): ReturnType<typeof word> {
  return declared(type, { doc }, (value) => ({ ok: String(value) }));
}

export const transferCommands: readonly PartCommand[] = [
  partCommand({
    name: "archive import",
    summary: "bring mail from elsewhere into the archive",
    argument: "<paths...>",
    flags: options({
      account: needed("address", "the account whose mail it is"),
      folder: optional(word("name", "put every message into this folder")),
    }),
    notes: IMPORT_NOTES,
    run: async (paths, given, means) =>
      (await import("./import.ts")).archiveImport(paths, given, means),
  }),
  partCommand({
    name: "archive export",
    summary: "write the messages that match a query to a file or a directory",
    flags: options({
      query: needed("query", "the messages, as `archive search` finds them"),
      format: oneOf("the form of the export", EXPORT_FORMATS),
      output: { ...needed("path", "what is written; it must not exist"), short: "o" },
      account: optional(word("address", "only messages of this account")),
    }),
    notes: EXPORT_NOTES,
    run: async (_, given, means) => (await import("./export.ts")).archiveExport(given, means),
  }),
];
