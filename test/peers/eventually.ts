// Waiting for what others do in their own time.

import { setTimeout as pause } from "node:timers/promises";

/** Looks until it is so; throws when it is not within a minute: disks of test machines stall. */
export async function eventually(
  what: string,
  isSo: () => boolean | Promise<boolean>,
): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await pause(20);
  }
}
