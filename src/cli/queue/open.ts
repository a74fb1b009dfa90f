// Opens the queue of a configuration for reading. If that fails, the reason is one line.
//
// Invariant: root reads as the owner of the spool. SQLite creates files beside a database and gives them to the
// database's owner. With root's rights, it would do so with files that the owner has put in their place.

import { becomeOwnerOf } from "../../base/users.ts";
import { describeError } from "../../observe/log.ts";
import { viewQueue } from "../../run/offline-queue.ts";
import type { QueueView } from "../../spool/queue-view.ts";
import { CommandError, EXIT } from "../../contract/exit.ts";
import { warn } from "../../base/terminal.ts";

/**
 * Undefined when no relay has opened the spool yet. That is reported on stderr, because a wrong path looks the same.
 */
export async function openQueue(directory: string): Promise<QueueView | undefined> {
  try {
    becomeOwnerOf(directory);
    const queue = await viewQueue(directory);
    if (queue === undefined) warn(`relayctl: no spool in ${directory} yet`);
    return queue;
  } catch (error) {
    throw new CommandError(`cannot read the queue: ${describeError(error)}`, EXIT.unavailable);
  }
}
