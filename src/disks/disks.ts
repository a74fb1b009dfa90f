// Calls to file systems that may hang, as that of a Maildir on a network does. They are made in threads, so the relay
// goes on, and only the copies for that file system wait. All transports that write Maildirs share these disks, also over
// a reload.
//
// Doors: events.ts, maildir-disks.ts, own-calls.ts.

import type { Clock } from "../base/clock.ts";
import type { WrittenDirectory } from "../base/durable/directory.ts";
import type { FileCalls } from "../base/durable/file-calls.ts";
import type { Log } from "../observe/log.ts";
import { CopiesUnderWay } from "./copies-under-way.ts";
import { inThisThread, inThreads } from "./executors.ts";
import { Lanes } from "./lanes.ts";
import type { MaildirDisks } from "./maildir-disks.ts";
import { makeWritten, shutBelow } from "./written-directories.ts";

export class SharedDisks implements MaildirDisks {
  readonly lanes: Lanes;
  readonly copies = new CopiesUnderWay();

  /** `calls`, if given, are made in this thread. */
  constructor({ clock, log }: { readonly clock: Clock; readonly log: Log }, calls?: FileCalls) {
    const executors = calls === undefined ? inThreads : inThisThread(calls);
    this.lanes = new Lanes(clock, executors, {
      hung: (directory) => log.event("maildir.hung", { directory }),
      answered: (directory, after) =>
        log.event("maildir.answered", { directory, seconds: Math.round(after / 100) / 10 }),
    });
  }

  /** Makes the directory and all missing ones above it. Rejects with FileSystemHangs, or the error of the system. */
  make(written: WrittenDirectory): Promise<void> {
    return makeWritten(this.lanes, written);
  }

  /** `path` if this process cannot write into it, else the directories in it that belong to root and cannot be written. */
  shutBelow(path: string): Promise<string[]> {
    return shutBelow(this.lanes, path);
  }
}
