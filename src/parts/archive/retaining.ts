// Retention while the archive serves: its runs, what holds cover, and the directories of accounts that are gone.

import type { Configuration } from "../../config/configuration.ts";
import { RetentionRuns } from "./retention/alarms.ts";
import { removeGoneAccounts } from "./retention/gone-accounts.ts";
import type { Archive } from "./service/archive.ts";

/** How often accounts that are gone are looked for, in ms. */
const ACCOUNTS_EVERY = 3_600_000;

/** Begins. When the result is disposed of, the deletion under way has ended. */
export function retaining(archive: Archive, configuration: Configuration): AsyncDisposable {
  const { settings, clock, log, retained } = archive;
  const ended = new AbortController();
  const asked = retained.askHolds(ended.signal);
  const { directory, retention: options } = settings;
  let accountsAt = 0;
  const afterRun = async (): Promise<void> => {
    if (clock.monotonic() < accountsAt) return;
    accountsAt = clock.monotonic() + ACCOUNTS_EVERY;
    const gone = await removeGoneAccounts(configuration, directory, clock.now());
    for (const account of gone) log.event("archive.account_removed", { account });
  };
  const retention = {
    run: (...given: Parameters<typeof retained.retention.run>) => retained.retention.run(...given),
  };
  const runs =
    options && new RetentionRuns({ retention, options, directory, clock, log, afterRun });
  runs?.start();
  return {
    async [Symbol.asyncDispose]() {
      ended.abort();
      await runs?.close();
      await asked;
    },
  };
}
