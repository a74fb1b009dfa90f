// relayctl coverage: copies of each account, from the history.

import { readAccounts } from "../../../accounts/accounts.ts";
import { systemClock } from "../../../base/clock.ts";
import { print, printJson } from "../../../base/terminal.ts";
import { becomeOwnerOf } from "../../../base/users.ts";
import type { Configuration } from "../../../config/configuration.ts";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import { HistoryReader } from "../../../observe/history/read.ts";
import { describeError } from "../../../observe/log.ts";
import { coverageReport } from "./coverage-report.ts";
import { coverageLines, coverageObject } from "./coverage-text.ts";

const DAY = 24 * 3_600_000;

/** Throws CommandError if there is no history to read. */
export async function coverageOfHistory(
  configuration: Configuration,
  { days, json }: { readonly days: number; readonly json: boolean },
): Promise<number> {
  const accounts = await readAccounts(configuration);
  const { spool_directory: directory, user } = configuration.relay;
  const damaged: string[] = [];
  using history = openHistory(directory, user, (day) => damaged.push(day));
  if (history.beginning === undefined) {
    const off = configuration.relay.history === 0 ? ": [relay] history is 0" : "";
    throw new CommandError(`${directory} has no history of mail${off}`, EXIT.notDone);
  }
  const now = systemClock.now();
  const found = await coverageReport({ configuration, accounts, history }, now - days * DAY);
  const problems = damaged.map((day) => `The history of ${day} is damaged, and left out.`);
  const report = { ...found, problems: [...found.problems, ...problems] };
  if (json) await printJson(coverageObject(report, days));
  else await print(`${coverageLines(report, days, now).join("\n")}\n`);
  return EXIT.ok;
}

/** Throws CommandError if it cannot be read. */
export function openHistory(
  directory: string,
  user: string | undefined,
  onDamage: (day: string) => void,
): HistoryReader {
  try {
    becomeOwnerOf(directory, user);
    return new HistoryReader(directory, onDamage);
  } catch (error) {
    throw new CommandError(`cannot read the history: ${describeError(error)}`, EXIT.unavailable);
  }
}
