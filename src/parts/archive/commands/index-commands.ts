// The command that makes the index again.

import { word } from "../../../contract/command.ts";
import { optional, options } from "../../../options/options.ts";
import { type PartCommand, partCommand } from "../../part.ts";

const REINDEX_NOTES = `The old index serves until the new one is whole. If the command is interrupted, the
old one stays.

Exit status: 0, 1 the index has no such account, 69 another process writes to
the archive, and does not answer, 78 the configuration is wrong or has no
[archive].`;

export const indexCommands: readonly PartCommand[] = [
  partCommand({
    name: "archive reindex",
    summary: "make the index again from the Maildirs",
    flags: options({
      account: optional(word("address", "read only the messages of this account again")),
    }),
    notes: REINDEX_NOTES,
    run: async (_, given, means) => (await import("./reindex.ts")).archiveReindex(given, means),
  }),
];
