// Stores settlements in the spool. If the spool cannot take one, it is asked again until it can, because only this
// process knows the outcome of the attempt.

import type { Clock } from "../base/clock.ts";
import { describeError, type Log } from "../observe/log.ts";
import type { Settlement, Spool } from "../spool/spool.ts";

export interface StoreServices {
  readonly spool: Pick<Spool, "settle">;
  readonly clock: Clock;
  readonly log: Log;
}

/** Milliseconds to wait for a spool that cannot be used. */
export const SPOOL_PAUSE = 1000;

/** False if `isStopping` ended the tries: the next start finds the attempt still open. */
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
