// The contract of an engine: it opens a spool for the relay, or a view of it for relayctl.

import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../observe/log.ts";
import type { QueueView } from "../queue-view.ts";
import type { Spool } from "../spool.ts";

export interface SpoolEngine {
  /**
   * Opens the spool in `directory`. Creates missing files and recovers from a crash.
   * Throws SpoolInUse if another relay has it, and SpoolError if it cannot be read.
   */
  open(directory: string, means: { readonly clock: Clock; readonly log: Log }): Promise<Spool>;
  /** Returns undefined if no relay has opened this spool yet. Throws if it cannot be read. */
  view(directory: string): Promise<QueueView | undefined>;
  /**
   * Whether a relay has opened it yet. Throws if that cannot be found out: an unreadable spool is not a missing one.
   */
  exists(directory: string): Promise<boolean>;
  /** Paths that the relay must be able to write to, if they exist. */
  files(directory: string): readonly string[];
}
