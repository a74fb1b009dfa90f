// The commands that let mail go, and those that keep it: retain, hold, erase.

import { word } from "../../../contract/command.ts";
import { flag, optional, options, withDefault } from "../../../options/options.ts";
import { type PartCommand, partCommand } from "../../part.ts";

const EXITS = `64 wrong usage, 69 another process writes to the archive, and does not answer,
78 the configuration is wrong or has no [archive].`;

const RETAIN_NOTES = `Deletes what [archive.retention] lets go: by age, and by the water mark if the
file system is fuller than that. The limit of the water mark for 24 hours does
not count. What a hold covers stays. Nothing goes while the index is behind.

With --dry-run it prints the same list and deletes nothing.

Exit status: 0, 1 the index is behind, or the water mark asks for more than may
go, ${EXITS}`;

const HOLD_NOTES = `What a hold covers is never deleted by the archive, until the hold is released.
The query is asked again before every deletion, and for new mail. What it has
once covered stays covered, wherever it moves. Days and ages in the query are
fixed now. Mail whose text could not be read whole counts as covered.

Exit status: 0, 1 there is a hold with this name,
${EXITS}`;

const ERASE_NOTES = `Deletes mail whatever its age: a person's right to it. What a hold covers stays.
The manifest and the audit log keep a line for each, without its content.

Exit status: 0 all that matches is deleted, 1 nothing matches, some of it is on
hold, or the index is behind,
${EXITS}`;

export const retentionCommands: readonly PartCommand[] = [
  partCommand({
    name: "archive retain",
    summary: "delete what the rules of retention let go",
    flags: options({
      dryRun: withDefault(flag("only print what would be deleted, and by which rule"), false),
    }),
    notes: RETAIN_NOTES,
    run: async (_, given, means) => (await import("./retain.ts")).archiveRetain(given, means),
  }),
  partCommand({
    name: "archive hold add",
    summary: "keep mail whatever the rules say",
    argument: "<name>",
    flags: options({
      query: optional(word("query", "the mail that it covers, as in `archive search`")),
      why: optional(word("text", "the reason")),
    }),
    notes: HOLD_NOTES,
    run: async (words, given, means) => (await import("./hold.ts")).holdAdd(words, given, means),
  }),
  partCommand({
    name: "archive hold list",
    summary: "show the holds, and how much they cover",
    flags: options({}),
    run: async (_, given, means) => (await import("./hold.ts")).holdList(given, means),
  }),
  partCommand({
    name: "archive hold release",
    summary: "end a hold: the rules decide again about its mail",
    argument: "<name>",
    flags: options({}),
    notes: `Exit status: 0, 1 there is no such hold,\n${EXITS}`,
    run: async (words, given, means) =>
      (await import("./hold.ts")).holdRelease(words, given, means),
  }),
  partCommand({
    name: "archive erase",
    summary: "delete the mail of an account for good",
    flags: options({
      account: optional(word("address", "the account")),
      query: optional(word("query", "only mail that matches, as in `archive search`")),
      why: optional(word("text", "the reason")),
    }),
    notes: ERASE_NOTES,
    run: async (_, given, means) => (await import("./erase.ts")).archiveErase(given, means),
  }),
];
