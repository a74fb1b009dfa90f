// Settlements on their way into the spool. When it cannot take one it is asked again until it can, because the
// outcome of an attempt is known only here.

import type { Clock } from "../base/clock.ts";
import { describeError, type Log } from "../observe/log.ts";
import type { Settlement, Spool } from "../spool/spool.ts";

export interface StoreServices {
  readonly spool: Pick<Spool, "settle">;
  readonly clock: Clock;
  readonly log: Log;
}

/** How long to wait for a spool that cannot be used just now, in ms. */
export const SPOOL_PAUSE = 1000;

/** False when it was given up: `isStopping` said so, and the next start finds the attempt still open. */
export async function store(
  settlement: Settlement,
  { spool, clock, log }: StoreServices,
  isStopping: () => boolean,
): Promise<boolean> {
  for (;;) {
    try {
      await spool.settle(settlement);
      return true;
    } catch (error) {
      log.event("spool.failed", { id: settlement.id, error: describeError(error) });
      if (isStopping()) return false;
      await new Promise<void>((resolve) => clock.after(SPOOL_PAUSE, resolve));
    }
  }
}
