// The means that relayctl gives to the commands of parts.

import { systemClock } from "../base/clock.ts";
import type { CommandMeans } from "../parts/part.ts";
import { assemble } from "../run/assemble.ts";
import { viewQueue } from "../run/offline-queue.ts";
import { requireConfiguration } from "./configuration-file.ts";

/** `file` is the value of `--config`. */
export function commandMeans(file: string | undefined): CommandMeans {
  return {
    configuration: () => requireConfiguration(file),
    dryRun: (configuration, log) => assemble(configuration, { clock: systemClock, log }, true),
    queue: viewQueue,
  };
}
