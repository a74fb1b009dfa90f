// The part that shows what the copies cover: relayctl coverage. It has no part in the running relay.

import { word } from "../../contract/command.ts";
import { integer, oneOf, optional, options } from "../../options/options.ts";
import { part, partCommand } from "../part.ts";

const DAYS_MAX = 3650;

const flags = options({
  days: optional(integer("the time to look back, in days", 1, DAYS_MAX), "7; 30 with --against"),
  against: optional(oneOf("compare the archive with this mailbox", ["gmail"])),
  account: optional(word("address", "the account to compare, with --against")),
});

const NOTES = `Without --against: the copies of each account in and out, the last of each,
senders of our domains whose mail passed without a copy, and accounts that
never had one. All of it comes from the history of the relay.

With --against gmail: the Message-IDs in the Maildirs of one account and in its
mailbox at Google, through the Gmail API. [accounts] key_file must be the key
of a service account with domain-wide delegation for the scope gmail.readonly.

Exit status: 0 done, and nothing is missing, 1 something is missing on either
side, or there is no history, or no such account, 64 wrong usage, 66 a file
cannot be read, 69 Google does not answer or says no, 78 the configuration is
wrong, or there is no key file.`;

export const coverage = part({
  name: "coverage",
  commands: [
    partCommand({
      name: "coverage",
      summary: "show which mail has copies, and compare an archive with its mailbox at Google",
      flags,
      notes: NOTES,
      run: async (_, given, means) => (await import("./coverage.ts")).coverageCommand(given, means),
    }),
  ],
});
