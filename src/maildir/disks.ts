// The file systems of Maildirs, as a transport asks for them: which of them answer, and what is under way on one that
// does not. src/maildir/maildir-disks.ts is what the relay has.

import type { DiskRequest } from "./disk-request.ts";
import type { DiskValue } from "./lane.ts";

/** Makes the system calls of one delivery. */
export interface DiskTurn {
  /** A whole file can be made at once. */
  readonly places: boolean;
  /** It has made a file: from here on it is not refused a call. */
  hasFile: boolean;
  ask(request: DiskRequest, onNames?: (names: readonly string[]) => void): Promise<DiskValue>;
}

/** One Maildir. */
export interface MaildirLane {
  readonly directory: string;
  /** Its file system does not answer. */
  readonly isHung: boolean;
  /** Whether a delivery may begin now; to be asked once for each. */
  admits(): boolean;
  /** As the delivery ends. Rejects with FileSystemHangs when it has to wait for a file system that hangs. */
  run(deliver: (turn: DiskTurn) => Promise<string>): Promise<string>;
  /** Called once, when the Maildir has answered again; of several of one `key`, the last is. */
  onceAnswered(key: string, callback: () => void): void;
}

/** A copy that is written although its attempt is over. */
export interface LeftCopy {
  /** Gives the path of the file. */
  readonly written: Promise<string>;
  /** Undefined until it has been written. */
  readonly path: string | undefined;
}

export interface MaildirDisks {
  readonly lanes: {
    /** The lane of a Maildir, which is at `root` or below it. */
    lane(maildir: string, root: string): MaildirLane;
  };
  readonly copies: {
    /** What an earlier attempt has left, if it has. */
    find(copy: string): LeftCopy | undefined;
    /** Its attempt ends, and does not wait for it. */
    leave(copy: string, written: Promise<string>): void;
    /** An attempt has taken its end for its own. */
    forget(copy: string): void;
  };
}
