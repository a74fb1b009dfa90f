// The file systems of Maildirs, as a transport sees them: which of them answer, and the copies that are under way on one
// that does not. disks.ts implements them for the relay.

import type { DiskRequest, DiskValue } from "./disk-request.ts";

/** The file system of a Maildir does not answer, or the relay does not call it now. */
export class FileSystemHangs extends Error {
  readonly code = "ETIMEDOUT";
  /** The delivery, if it has begun; it goes on. */
  readonly underWay: Promise<string> | undefined;

  constructor(directory: string, underWay?: Promise<string>) {
    super(`the file system of ${directory} does not answer`);
    this.underWay = underWay;
  }
}

/** Makes the system calls of one delivery. */
export interface DiskTurn {
  /** Whether `place` is offered: a whole file in one request. */
  readonly places: boolean;
  /** Whether it has made a file: from then on none of its calls is refused. */
  hasFile: boolean;
  ask(request: DiskRequest, onNames?: (names: readonly string[]) => void): Promise<DiskValue>;
}

/** The lane of one Maildir. */
export interface MaildirLane {
  readonly directory: string;
  /** Whether its file system does not answer. */
  readonly isHung: boolean;
  /** Whether a delivery may begin now. Call it once for each delivery, because it counts probes. */
  admits(): boolean;
  /** Settles as `deliver` does. Rejects with FileSystemHangs if `deliver` waits for a file system that hangs. */
  run(deliver: (turn: DiskTurn) => Promise<string>): Promise<string>;
  /** Calls `callback` once, when the Maildir has answered again. A later callback with the same `key` replaces it. */
  onceAnswered(key: string, callback: () => void): void;
}

/** A copy whose writing goes on after its attempt. */
export interface LeftCopy {
  /** Resolves to the path of the file. */
  readonly written: Promise<string>;
  /** The path, once the file is written. */
  readonly path: string | undefined;
}

export interface MaildirDisks {
  readonly lanes: {
    /** The lane of a Maildir, which is at `root` or below it. */
    lane(maildir: string, root: string): MaildirLane;
  };
  readonly copies: {
    /** The copy that an earlier attempt has left, if any. */
    find(copy: string): LeftCopy | undefined;
    /** Keeps a copy whose attempt ends before it is written. */
    leave(copy: string, written: Promise<string>): void;
    /** Drops a copy whose result an attempt has used. */
    forget(copy: string): void;
  };
}
