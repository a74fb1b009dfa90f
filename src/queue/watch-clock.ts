// Makes the queue look at waiting messages again when the wall clock is set. They may be due, or may have been put
// off by a clock that was ahead.

import type { Timer } from "../base/clock.ts";
import type { ClockSteps } from "../base/clock-steps.ts";
import { describeError, type Log } from "../observe/log.ts";
import type { Queue } from "./queue.ts";
import type { Spool } from "../spool/spool.ts";

interface Watching {
  readonly spool: Pick<Spool, "clockSet">;
  readonly queue: Pick<Queue, "wake">;
  readonly log: Log;
}

export function watchClock(steps: ClockSteps, { spool, queue, log }: Watching): Timer {
  return steps.watch(async () => {
    try {
      await spool.clockSet();
      queue.wake();
      return true;
    } catch (error) {
      log.event("spool.failed", { error: describeError(error) });
      return false;
    }
  });
}
