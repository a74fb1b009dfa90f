// relayctl accounts sync: one sync by hand.

import { accountsOptionsOf } from "../../accounts/accounts.ts";
import { systemClock } from "../../base/clock.ts";
import { printable } from "../../base/printable.ts";
import { paint, print, printJson, warn } from "../../base/terminal.ts";
import { findUser } from "../../base/users.ts";
import type { Configuration } from "../../config/configuration.ts";
import type { Given } from "../../contract/command.ts";
import { CommandError, EXIT } from "../../contract/exit.ts";
import { DirectoryError } from "./source.ts";
import { readDirectory } from "./sources.ts";
import { countText, syncAccounts, type SyncReport, UnwrittenFiles } from "./sync.ts";

export interface SyncFlags extends Given {
  readonly dryRun: boolean;
  readonly force: boolean;
}

/** Addresses of one kind that are printed on a terminal. */
const SHOWN_MAX = 50;

const EXITS = {
  key: EXIT.configuration,
  refused: EXIT.unavailable,
  unreachable: EXIT.unavailable,
  half: EXIT.notDone,
} as const;

/** Throws CommandError if nothing could be synced. A refusal for safety is printed, and is exit 1. */
export async function accountsSync(
  { dryRun: isDry, force: isForced, json }: SyncFlags,
  configuration: Configuration,
): Promise<number> {
  const options = accountsOptionsOf(configuration);
  if (options === undefined) {
    const what = `${configuration.file}: there is no [accounts] table, so there is no directory to sync from`;
    throw new CommandError(what, EXIT.configuration);
  }
  const { user, spool_directory: spoolDirectory } = configuration.relay;
  const means = {
    clock: systemClock,
    spoolDirectory,
    owner: user === undefined ? undefined : findUser(user),
    read: () => readDirectory(options, { clock: systemClock }),
    warn: (what: string) => warn(`relayctl: ${what}`),
  };
  const report = await synced(() => syncAccounts(options, means, { isForced, isDry }));
  if (json) await printJson(report);
  else await print(reportText(report, isDry));
  if (report.refused === undefined) return EXIT.ok;
  throw new CommandError(`nothing was written: ${report.refused}`, EXIT.notDone);
}

async function synced(sync: () => Promise<SyncReport>): Promise<SyncReport> {
  try {
    return await sync();
  } catch (error) {
    if (error instanceof DirectoryError) {
      throw new CommandError(`relayctl: ${error.message}`, EXITS[error.kind]);
    }
    if (error instanceof UnwrittenFiles) {
      throw new CommandError(`nothing was written: ${error.message}`, EXIT.notDone);
    }
    throw error;
  }
}

function reportText(report: SyncReport, isDry: boolean): string {
  const { added, removed, delayed, written, files, refused } = report;
  const would = written ? "" : "would be ";
  const parts = [
    `${countText(report)}\n`,
    changesText(`${would}added`, added, "green"),
    changesText(`${would}removed`, removed, "red"),
    changesText("left the directory, and stay for removal_delay", delayed, "yellow"),
  ];
  if (added.length + removed.length === 0) parts.push("no address is added or removed\n");
  if (written) parts.push(...files.map((file) => `written: ${printable(file)}\n`));
  else if (isDry && refused === undefined) parts.push("nothing was written (--dry-run)\n");
  return refused !== undefined && files.length === 0 ? "" : parts.join("");
}

function changesText(
  what: string,
  addresses: readonly string[],
  colour: "green" | "red" | "yellow",
): string {
  if (addresses.length === 0) return "";
  const shown = addresses.slice(0, SHOWN_MAX).map((address) => `  ${printable(address)}\n`);
  const more = addresses.length - shown.length;
  const rest = more > 0 ? `  and ${more} more; --json has all of them\n` : "";
  return `${paint(colour, `${what}:`)}\n${shown.join("")}${rest}`;
}
