// What an engine of the spool is: the two ways into a store of one kind.

import type { Clock } from "../base/clock.ts";
import type { Log } from "../observe/log.ts";
import type { QueueView } from "./queue-view.ts";
import type { Spool } from "./spool.ts";

export interface SpoolEngine {
  /**
   * Opens the spool in `directory`, creates what is missing and recovers what a crash left.
   * Throws SpoolInUse when another relay has it, and SpoolError when it cannot be read.
   */
  open(directory: string, means: { readonly clock: Clock; readonly log: Log }): Promise<Spool>;
  /** Undefined when no relay has opened this spool yet. Throws when it cannot be read. */
  view(directory: string): Promise<QueueView | undefined>;
  /** Has a relay opened it yet? Throws when that cannot be known: what may not be read is not missing. */
  exists(directory: string): Promise<boolean>;
  /** Paths that the relay must be able to write to, if they are there. */
  files(directory: string): readonly string[];
}
