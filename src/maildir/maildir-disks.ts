// The state that all transports that write Maildirs share, also over a reload: which file systems answer, and the copies
// that are under way on one that does not.

import type { Clock } from "../base/clock.ts";
import type { Log } from "../observe/log.ts";
import type { MaildirDisks } from "./disks.ts";
import { CopiesUnderWay } from "./copies-under-way.ts";
import { type Executors, inThreads } from "./executors.ts";
import { Lanes } from "./lanes.ts";

export class SharedDisks implements MaildirDisks {
  readonly lanes: Lanes;
  readonly copies = new CopiesUnderWay();

  constructor(
    { clock, log }: { readonly clock: Clock; readonly log: Log },
    executors: Executors = inThreads,
  ) {
    this.lanes = new Lanes(clock, executors, {
      hung: (directory) => log.event("maildir.hung", { directory }),
      answered: (directory, after) =>
        log.event("maildir.answered", { directory, seconds: Math.round(after / 100) / 10 }),
    });
  }
}
