// The part for accounts: [accounts], the sync from a directory while the relay serves, relayctl accounts.

import { accountsOptions } from "../../accounts/options.ts";
import { flag, nested, optional, options, withDefault } from "../../options/options.ts";
import { part, partCommand } from "../part.ts";
import { accountsEvents } from "./events.ts";
import { ServingSync } from "./serving.ts";
import { readDirectory } from "./sources.ts";

const off = (doc: string) => withDefault(flag(doc), false);

const SYNC_NOTES = `The directory is read whole or nothing is written. A sync that would take out more of a file than
shrink_limit is refused, and an empty directory always.
Exit status: 0 done, 1 refused for safety (nothing was written), 69 the directory cannot be reached or says no,
78 the configuration or the key file is wrong.`;

export const accounts = part({
  name: "accounts",
  events: accountsEvents,
  sections: {
    accounts: optional(
      nested(
        "The accounts come from a directory: the relay writes their lsearch files. Without this table you write them. docs/accounts.md shows how it is set up.",
        accountsOptions,
      ),
    ),
  },
  groups: { accounts: "show the accounts, and sync them from the directory" },
  commands: [
    partCommand({
      name: "accounts sync",
      summary: "read the accounts from the directory of [accounts], and write their files",
      flags: options({
        dryRun: off("print what would change, and write nothing"),
        force: off("take out more than shrink_limit, if that is right"),
      }),
      notes: SYNC_NOTES,
      run: async (_, given, means) =>
        (await import("./sync-command.ts")).accountsSync(given, await means.configuration()),
    }),
    partCommand({
      name: "accounts show",
      summary: "show all accounts with their aliases; or which account an address belongs to",
      argument: "[address]",
      flags: options({}),
      notes: "Exit status: 0 done, 1 the address belongs to no account.",
      run: async ([address], given, means) =>
        (await import("./show-command.ts")).accountsShow(
          address,
          given,
          await means.configuration(),
        ),
    }),
  ],
  start(means) {
    if (means.readOnly) return {};
    const serving = new ServingSync({ ...means, read: readDirectory });
    return {
      orders: { status: async () => serving.status },
      hears: { "delivery.failed": (fields) => serving.hear(fields) },
      begin: ({ sections }) => serving.follow(sections.accounts),
      follow: ({ sections }) => serving.follow(sections.accounts),
      close: () => serving.close(),
    };
  },
});
