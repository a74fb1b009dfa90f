// The commands that prove the archive: verify and seal.

import { word, words } from "../../../contract/command.ts";
import { flag, optional, options, withDefault } from "../../../options/options.ts";
import { type PartCommand, partCommand } from "../../part.ts";

const VERIFY_NOTES = `Prints each file that is missing, changed, unknown or unreadable, and each line
of the manifest and the audit log that was changed. These are no faults: files
of the last five minutes that are not indexed yet (new), files in another folder
than before (moved), files that retention is deleting (going), and a line that
was being written when its process died (torn).

Lines that were cut off at the end of the manifest cannot be seen from within.
Keep what \`archive seal\` prints elsewhere, and give it to --seal.

With --accept, the paths are those that verify has printed. For a line of the
manifest or the audit log it is FILE:LINE.

Exit status: 0 all is right, or all paths are accepted, 1 there is a fault, or a
path cannot be accepted, 64 wrong usage, 66 a directory cannot be read, 69
another process writes to the archive, and does not answer, 78 the
configuration is wrong or has no [archive].`;

const SEAL_NOTES = `Prints the hash of the manifest's last line. It stands for every line before it.
Keep it where nobody who can write to this machine can change it: in a letter to
yourself, at a time stamp authority. \`archive verify --seal HASH\` finds it again.
--json also gives the hash of the audit log's last line.

Exit status: 0, 1 the manifest has no line yet, 69 another process writes to the
archive, and does not answer, 78 the configuration is wrong or has no [archive].`;

export const proofCommands: readonly PartCommand[] = [
  partCommand({
    name: "archive verify",
    summary: "compare every file with the manifest",
    argument: "[files...]",
    flags: options({
      account: optional(word("address", "only the files of this account")),
      seal: optional(words("hash", "this hash must be in the manifest or the audit log")),
      accept: withDefault(flag("note that you know of the loss of these files"), false),
      why: optional(word("text", "the reason, with --accept")),
    }),
    notes: VERIFY_NOTES,
    run: async (files, given, means) =>
      (await import("./verify.ts")).archiveVerify(files, given, means),
  }),
  partCommand({
    name: "archive seal",
    summary: "print the hash that stands for the whole manifest",
    flags: options({}),
    notes: SEAL_NOTES,
    run: async (_, given, means) => (await import("./seal.ts")).archiveSeal(given, means),
  }),
];
