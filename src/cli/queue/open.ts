// The queue of a configuration, opened for reading. What keeps it from being read is one line.
//
// Invariant: root reads as the owner of the spool. SQLite makes its own files beside a database and gives them to the
// database's owner: with the rights of root, it would do so with what that owner has put in their place.

import { becomeOwnerOf } from "../../run/drop-root.ts";
import { describeError } from "../../observe/log.ts";
import { spoolEngine } from "../../run/spool-engine.ts";
import type { QueueView } from "../../spool/queue-view.ts";
import { CommandError, EXIT } from "../exit.ts";
import { warn } from "../../base/terminal.ts";

/** Undefined when no relay has opened the spool yet; that is said on stderr, because a wrong path looks the same. */
export async function openQueue(directory: string): Promise<QueueView | undefined> {
  try {
    becomeOwnerOf(directory);
    const queue = await spoolEngine.view(directory);
    if (queue === undefined) warn(`relayctl: no spool in ${directory} yet`);
    return queue;
  } catch (error) {
    throw new CommandError(`cannot read the queue: ${describeError(error)}`, EXIT.unavailable);
  }
}
