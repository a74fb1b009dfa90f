// The part for the archive: all copies, to be found, proven intact, and let go by rule.

import { nested, optional, options } from "../../options/options.ts";
import { archiveSocket } from "../../archive/archive.ts";
import { part, partCommand } from "../part.ts";
import { indexCommands } from "./commands/index-commands.ts";
import { proofCommands } from "./commands/proof.ts";
import { readingCommands } from "./commands/reading.ts";
import { indexEvents } from "./index/events.ts";
import { retentionCommands } from "./commands/retention.ts";
import { retentionEvents } from "./retention/events.ts";
import { copiedLists } from "./retention/gone-accounts.ts";
import { retentionWarnings } from "./retention/options.ts";
import { transferCommands } from "./commands/transfer.ts";
import { NewCopies } from "./new-copies.ts";
import { type ArchiveOptions, archiveOptions } from "./service/options.ts";
import { archiveOf } from "./service/settings.ts";

const STATUS_NOTES = `Works without the archive's process too.
Exit status: 0, 78 the configuration is wrong or has no [archive].`;

export const archive = part({
  name: "archive",
  events: [indexEvents, retentionEvents],
  groups: { archive: "search the copies, prove them intact, and let them go by rule" },
  sections: {
    archive: optional(
      nested(
        "The archive of all copies: index, retention and proof. Without this table there is none.",
        archiveOptions,
      ),
    ),
  },
  commands: [
    partCommand({
      name: "archive status",
      summary: "show what the archive holds",
      flags: options({}),
      notes: STATUS_NOTES,
      run: async (_, given, means) =>
        (await import("./commands/status.ts")).archiveStatus(given, means),
    }),
    ...indexCommands,
    ...readingCommands,
    ...proofCommands,
    ...retentionCommands,
    ...transferCommands,
  ],
  warnings(configuration) {
    const retention = archiveOf(configuration)?.retention;
    const warnings = retention === undefined ? [] : retentionWarnings(retention);
    return warnings.map((text) => `${configuration.file}: ${text}`);
  },
  start({ clock, spoolDirectory, readOnly }) {
    if (readOnly) return {};
    const copies = new NewCopies(clock, archiveSocket(spoolDirectory));
    let maildirs: string | undefined;
    const follow = (own: ArchiveOptions | undefined) => {
      maildirs = own && `${own.directory}/`;
    };
    return {
      begin: ({ sections }) => follow(sections.archive),
      follow: ({ sections }) => follow(sections.archive),
      hears: {
        // For a copy, `host` is the path of its file.
        "delivery.done": ({ host }) => {
          if (maildirs !== undefined && host?.startsWith(maildirs) === true) copies.add(host);
        },
      },
    };
  },
  process: {
    isWanted: ({ archive: own }) => own !== undefined,
    uses: copiedLists,
    directories: ({ archive: own }) =>
      own === undefined ? [] : [{ path: own.state, mode: 0o700 }],
    serve: async ({ configuration, ...means }) =>
      (await import("./process.ts")).serve(configuration, means),
  },
});
