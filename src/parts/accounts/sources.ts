// The sources of accounts by their names in `source`. A source and its library are loaded when a sync needs them.

import type { AccountsOptions } from "../../accounts/options.ts";
import type { Clock } from "../../base/clock.ts";
import type { FoundDirectory } from "./source.ts";

export interface SourceMeans {
  readonly clock: Clock;
  /** Ends the sync. */
  readonly signal?: AbortSignal;
}

type ReadSource = (options: AccountsOptions, means: SourceMeans) => Promise<FoundDirectory>;

const SOURCES: Readonly<Record<AccountsOptions["source"], ReadSource>> = {
  google: async (options, means) =>
    (await import("./sources/google.ts")).readGoogle(options, means),
};

/** Throws DirectoryError. */
export function readDirectory(
  options: AccountsOptions,
  means: SourceMeans,
): Promise<FoundDirectory> {
  return SOURCES[options.source](options, means);
}
