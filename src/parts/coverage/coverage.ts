// relayctl coverage: which of the two reports is asked for.

import type { Given } from "../../contract/command.ts";
import { CommandError, EXIT } from "../../contract/exit.ts";
import type { Configuration } from "../../config/configuration.ts";
import { coverageOfHistory } from "./history/command.ts";

interface CoverageFlags extends Given {
  readonly days?: number | undefined;
  readonly against?: "gmail" | undefined;
  readonly account?: string | undefined;
}

/** Days to look back. */
const DAYS = { history: 7, gmail: 30 };

export async function coverageCommand(
  { days, against, account, json }: CoverageFlags,
  means: { configuration(): Promise<Configuration> },
): Promise<number> {
  if (against === undefined && account !== undefined) {
    throw new CommandError("--account needs --against gmail", EXIT.usage);
  }
  if (against === undefined) {
    return coverageOfHistory(await means.configuration(), { days: days ?? DAYS.history, json });
  }
  if (account === undefined) {
    throw new CommandError("--against needs --account ADDRESS", EXIT.usage);
  }
  const { compareWithGmail } = await import("./gmail/command.ts");
  return compareWithGmail(await means.configuration(), { account, days: days ?? DAYS.gmail, json });
}
